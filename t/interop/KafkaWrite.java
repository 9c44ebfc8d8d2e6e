import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/*
 * KafkaWrite BOOTSTRAP ROUND [open]: does to the topics of mq-store.sh's
 * make_store what Kafka's clients do: idempotent and transactional records,
 * commits, topics made and changed. Prints the offset at which group "one" went
 * on. ROUND names what a second run shall not repeat; `open` leaves a
 * transaction without end.
 */
public class KafkaWrite {
	private static String bootstrap, round;
	private static Admin admin;

	private static Map<String, Object> config(Object... pairs) {
		Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));

		for (int i = 0; i < pairs.length; i += 2)
			config.put((String) pairs[i], pairs[i + 1]);
		return config;
	}

	private static KafkaProducer<byte[], byte[]> producer(Object... pairs) {
		Map<String, Object> config = config("linger.ms", 600000, "delivery.timeout.ms", 700000);

		config.putAll(config(pairs));
		return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
	}

	private static byte[] utf8(String s) {
		return s.getBytes(StandardCharsets.UTF_8);
	}

	/* Batches of `count` records, one for each partition; `size` is in words. */
	private static void batches(KafkaProducer<byte[], byte[]> p, String topic, int partitions, int count, int size) {
		for (int i = 0; i < count * partitions; i++)
			p.send(new ProducerRecord<>(topic, i % partitions, utf8("k" + i % 5),
				utf8((round + " of Kafka, " + i + " ").repeat(i % size)), List.of(new RecordHeader("kafka", utf8(round)))));
		p.flush();
	}

	private static void idempotent() {
		for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd"))
			try (var p = producer("compression.type", codec)) {
				for (int i = 0; i < 3; i++)
					batches(p, "codec-" + codec, 1, 10, 100);
			}
		try (var p = producer("enable.idempotence", false)) {
			for (String topic : List.of("append-time", "old", "compact", "trimmed"))
				batches(p, topic, 1, 10, 3);
		}
	}

	private static KafkaConsumer<byte[], byte[]> consumer(String group) {
		return new KafkaConsumer<>(config("group.id", group, "enable.auto.commit", false,
			"auto.offset.reset", "none"), new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	/* Commit, abort, commit, over several segments. */
	private static void transactions() {
		try (var p = producer("transactional.id", "tx-write"); var c = consumer("in-txn")) {
			p.initTransactions();
			for (int i = 1; i <= 5; i++) {
				p.beginTransaction();
				batches(p, "segments", 3, 20, 20);
				p.sendOffsetsToTransaction(Map.of(new TopicPartition("segments", 1), new OffsetAndMetadata(i)), c.groupMetadata());
				if (i % 2 == 0)
					p.abortTransaction();
				else
					p.commitTransaction();
			}
		}
	}

	private static void groups() throws Exception {
		try (var c = consumer("one")) {
			ConsumerRecords<byte[], byte[]> got;

			c.subscribe(List.of("codec-none"));
			do {
				got = c.poll(Duration.ofMillis(100));
			} while (got.isEmpty());
			System.out.println(got.iterator().next().offset());
			c.commitSync();
		}
		admin.alterConsumerGroupOffsets("by-kafka " + round, Map.of(new TopicPartition("segments", 2),
			new OffsetAndMetadata(5, "a word on it"))).all().get();
	}

	private static void topics() throws Exception {
		String made = "made-" + round;

		admin.createTopics(List.of(new NewTopic(made, 2, (short) 1).configs(Map.of("retention.ms", "-1")))).all().get();
		try (var p = producer()) {
			batches(p, made, 2, 10, 10);
		}
		admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, "altered"),
			List.of(new AlterConfigOp(new ConfigEntry("flush.messages", "100"), AlterConfigOp.OpType.SET)))).all().get();
		int count = admin.describeTopics(List.of("altered")).allTopicNames().get().get("altered").partitions().size();
		admin.createPartitions(Map.of("altered", NewPartitions.increaseTo(count + 1))).all().get();
	}

	public static void main(String[] args) throws Exception {
		bootstrap = args[0];
		round = args[1];
		admin = Admin.create(config());
		idempotent();
		transactions();
		groups();
		topics();
		if (args.length > 2) {
			var p = producer("transactional.id", "tx-open " + round, "transaction.timeout.ms", 900000);
			p.initTransactions();
			p.beginTransaction();
			batches(p, "codec-gzip", 1, 5, 5);
		}
		Runtime.getRuntime().halt(0);
	}
}
