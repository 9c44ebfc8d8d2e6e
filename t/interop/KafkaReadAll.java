import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/*
 * KafkaReadAll BOOTSTRAP DIR [read_committed|read_uncommitted]: writes into
 * DIR/TOPIC.jsonl, for each topic but Kafka's own, what KafkaRecords prints. One
 * consumer for all, since a consumer costs more than the records.
 */
public class KafkaReadAll {
	public static void main(String[] args) throws Exception {
		Map<String, Object> config = new HashMap<>();
		Map<String, List<ConsumerRecord<byte[], byte[]>>> records = new TreeMap<>();
		List<TopicPartition> all = new ArrayList<>();

		config.put("bootstrap.servers", args[0]);
		config.put("isolation.level", args.length > 2 ? args[2] : "read_uncommitted");
		try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config,
				new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
			consumer.listTopics().forEach((topic, partitions) -> {
				if (topic.startsWith("__"))
					return;
				records.put(topic, new ArrayList<>());
				partitions.forEach(p -> all.add(new TopicPartition(topic, p.partition())));
			});
			Map<TopicPartition, Long> ends = consumer.endOffsets(all);

			consumer.assign(all);
			consumer.seekToBeginning(all);
			while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
				consumer.poll(Duration.ofMillis(100)).forEach(r -> records.get(r.topic()).add(r));
		}
		Files.createDirectories(Path.of(args[1]));
		for (Map.Entry<String, List<ConsumerRecord<byte[], byte[]>>> e : records.entrySet())
			try (PrintWriter out = new PrintWriter(Path.of(args[1], e.getKey() + ".jsonl").toFile(), StandardCharsets.UTF_8)) {
				e.getValue().sort(Comparator.comparingInt((ConsumerRecord<byte[], byte[]> r) -> r.partition())
					.thenComparingLong(ConsumerRecord::offset));
				e.getValue().forEach(r -> out.println(RecordJson.record(r)));
			}
	}
}
