import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/*
 * KafkaRecords BOOTSTRAP TOPIC [read_committed|read_uncommitted]: prints every
 * record that Kafka's consumer sees in TOPIC, from its start to its end, one
 * JSON object a line, in order of partition and offset.
 */
public class KafkaRecords {
	public static void main(String[] args) {
		Map<String, Object> config = new HashMap<>();
		List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();

		config.put("bootstrap.servers", args[0]);
		config.put("isolation.level", args.length > 2 ? args[2] : "read_uncommitted");
		config.put("exclude.internal.topics", "false");
		try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config,
				new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
			List<TopicPartition> all = consumer.partitionsFor(args[1]).stream()
				.map(p -> new TopicPartition(p.topic(), p.partition())).collect(Collectors.toList());
			Map<TopicPartition, Long> ends = consumer.endOffsets(all);

			consumer.assign(all);
			consumer.seekToBeginning(all);
			while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
				consumer.poll(Duration.ofMillis(100)).forEach(records::add);
		}
		records.stream()
			.sorted(Comparator.comparingInt((ConsumerRecord<byte[], byte[]> r) -> r.partition())
				.thenComparingLong(ConsumerRecord::offset))
			.forEach(r -> System.out.println(RecordJson.record(r)));
	}
}
