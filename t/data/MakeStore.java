import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/*
 * MakeStore BOOTSTRAP DIR before|after|killed: fills a broker's data directory DIR with
 * one topic for each thing that a reader of Kafka's files must get right.
 * `before` runs before a restart of the broker, `after` behind it, so that one
 * topic has two leader epochs; `killed` fills another, which is to be killed.
 * Producers and consumers that the fixture shall show alive are not
 * closed: the JVM just ends.
 */
public class MakeStore {
	private static final long TS = 1700000000000L;
	private static final int WAIT_S = 30;
	private static String bootstrap;
	private static Path dir;
	private static Admin admin;

	/* ---- words ---- */

	private static byte[] utf8(String s) {
		return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
	}

	private static Map<String, Object> config(Object... pairs) {
		Map<String, Object> config = new HashMap<>();

		config.put("bootstrap.servers", bootstrap);
		for (int i = 0; i < pairs.length; i += 2)
			config.put((String) pairs[i], pairs[i + 1]);
		return config;
	}

	/* Creates a topic whose records are kept whatever their age. */
	private static void topic(String name, int partitions, String... pairs) throws Exception {
		Map<String, String> config = new HashMap<>();

		config.put("retention.ms", "-1");
		for (int i = 0; i < pairs.length; i += 2)
			config.put(pairs[i], pairs[i + 1]);
		admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(config))).all().get();
	}

	/* A producer that sends what it was given when it is flushed, as one batch. */
	private static class Producer extends KafkaProducer<byte[], byte[]> {
		private final String topic;
		private long ts = TS;

		Producer(String topic, Object... pairs) {
			super(batching(pairs), new ByteArraySerializer(), new ByteArraySerializer());
			this.topic = topic;
		}

		private static Map<String, Object> batching(Object... pairs) {
			Map<String, Object> config = config("linger.ms", 600000, "batch.size", 200000,
				"delivery.timeout.ms", 700000);
			config.putAll(config(pairs));
			return config;
		}

		Producer at(long ts) {
			this.ts = ts;
			return this;
		}

		Producer send(int partition, byte[] key, byte[] value, Header... headers) {
			send(new ProducerRecord<>(topic, partition, ts++, key, value, Arrays.asList(headers)));
			return this;
		}

		Producer send(String key, String value) {
			return send(0, utf8(key), utf8(value));
		}

		/* A batch of `count` records k0.. with `value`. */
		Producer batch(int count, String value) {
			for (int i = 0; i < count; i++)
				send("k" + i, value);
			flush();
			return this;
		}
	}

	private interface Condition {
		boolean holds() throws Exception;
	}

	private static void await(String what, Condition condition) throws Exception {
		long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);

		while (!condition.holds()) {
			if (System.nanoTime() > end)
				throw new IllegalStateException("waited in vain: " + what);
			Thread.sleep(50);
		}
	}

	private static Header header(String name, String value) {
		return new RecordHeader(name, utf8(value));
	}

	/* ---- topics ---- */

	private static void codecs() throws Exception {
		for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
			topic("codec-" + codec, 1);
			try (Producer p = new Producer("codec-" + codec, "compression.type", codec)) {
				for (int i = 0; i < 5; i++)
					p.batch(10, "batch " + i + " of " + "text that repeats, text that repeats ".repeat(i));
			}
		}
	}

	private static void shapes() throws Exception {
		topic("headers", 1);
		try (Producer p = new Producer("headers")) {
			p.send(0, utf8("null value"), utf8("v"), header("h", null));
			p.send(0, utf8("empty value"), utf8("v"), header("h", ""));
			p.send(0, utf8("empty name"), utf8("v"), header("", "1"));
			p.send(0, utf8("twice"), utf8("v"), header("h", "1"), header("i", "2"), header("h", "3"));
			p.send(0, utf8("bytes"), utf8("v"), new RecordHeader("b", new byte[] { 0, -1, 10 }));
			p.send(0, utf8("not ascii"), utf8("v"), header("\u00e9\u20ac\ud83d\ude00", "\u00e9"));
		}
		topic("nulls", 3);
		try (Producer p = new Producer("nulls")) {
			p.send(0, null, null).send(0, null, utf8("v")).send(0, utf8("k"), null);
			p.send(1, utf8(""), utf8("")).send(1, utf8(""), null).send(1, null, utf8(""));
			p.send(2, new byte[] { 0, -1, -61, 40 }, new byte[] { 10, 13, 0, -128 });
		}
		topic("append-time", 1, "message.timestamp.type", "LogAppendTime");
		for (String codec : List.of("none", "zstd"))
			try (Producer p = new Producer("append-time", "compression.type", codec)) {
				p.batch(3, "stamped by the broker");
			}
	}

	private static void producers() throws Exception {
		topic("idempotent", 2, "segment.ms", "1000");
		for (int n = 0; n < 3; n++)
			try (Producer p = new Producer("idempotent")) {
				for (int i = 0; i < 3; i++) {
					p.at(TS + n * 10000).send(1, utf8("k"), utf8("v"));
					p.at(TS + n * 10000).batch(2, "producer " + n + " batch " + i);
				}
			}
		try (Producer p = new Producer("idempotent", "enable.idempotence", false)) {
			p.at(TS + 40000).batch(2, "no producer id");
		}
	}

	/* Small segments, so that transactions and their markers lie across them. */
	private static void transactions() throws Exception {
		topic("txn", 2, "internal.segment.bytes", "500");
		Producer a = new Producer("txn", "transactional.id", "tx-a");
		Producer b = new Producer("txn", "transactional.id", "tx-b");
		Producer plain = new Producer("txn");

		a.initTransactions();
		b.initTransactions();
		for (int i = 0; i < 4; i++) {
			long ts = TS + i * 5000;
			a.beginTransaction();
			b.beginTransaction();
			a.at(ts).batch(2, "a " + i);
			b.at(ts).batch(2, "b " + i);
			plain.at(ts).batch(1, "plain " + i);
			a.at(ts).send(1, utf8("k"), utf8("a " + i)).flush();
			if (i % 2 == 0) {
				a.abortTransaction();
				b.commitTransaction();
			} else {
				b.abortTransaction();
				a.commitTransaction();
			}
		}
		a.close();
		b.close();
		plain.close();

		topic("txn-open", 1);
		Producer done = new Producer("txn-open", "transactional.id", "tx-c");
		done.initTransactions();
		done.beginTransaction();
		done.batch(2, "committed");
		done.commitTransaction();
		Producer open = new Producer("txn-open", "transactional.id", "tx-open", "transaction.timeout.ms", 900000);
		open.initTransactions();
		open.beginTransaction();
		open.batch(2, "never ended");
		done.beginTransaction();
		done.batch(2, "aborted behind the open one");
		done.abortTransaction();
		done.beginTransaction();
		done.batch(2, "committed behind the open one");
		done.commitTransaction();
		done.close();
	}

	/* Written in one run of the broker and never reopened, so that the index
	 * files of the closed segments are what Kafka makes of an untouched log. */
	private static void segments() throws Exception {
		topic("segments", 1, "internal.segment.bytes", "6000", "index.interval.bytes", "300", "segment.index.bytes", "1200");
		try (Producer p = new Producer("segments")) {
			for (int i = 0; i < 150; i++)
				p.at(TS + i * 100 - i % 7 * 150).batch(1 + i % 3, "x".repeat(60 + i % 5 * 10));
		}
		topic("index-default", 1, "internal.segment.bytes", "30000");
		try (Producer p = new Producer("index-default")) {
			for (int i = 0; i < 90; i++)
				p.at(TS + i * 100).batch(3, "y".repeat(200 + i % 5 * 50));
		}
	}

	private static void trimmed() throws Exception {
		topic("trimmed", 1, "segment.ms", "1000");
		try (Producer p = new Producer("trimmed")) {
			for (int i = 0; i < 4; i++)
				p.at(TS + i * 5000).batch(10, "segment " + i);
		}
		admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(25))).all().get();
		await("the segments below offset 20 to go", () -> !Files.exists(dir.resolve("trimmed-0/00000000000000000010.log")));
	}

	/* ---- compaction ---- */

	private static void awaitCleaned(String topic, long offset) throws Exception {
		String line = topic + " 0 " + offset;

		await("the cleaner to reach " + line, () ->
			Files.readAllLines(dir.resolve("cleaner-offset-checkpoint")).contains(line));
	}

	/* Rolls happen where a record is more than segment.ms after the segment's
	 * first. Seven generations of values, cleaned twice, and an active segment that
	 * is not. The first producer's only batch is wholly overwritten, so it
	 * stays as an empty batch. */
	private static void compacted(String topic, String codec, String retentionMs) throws Exception {
		topic(topic, 1, "cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "0.01",
			"delete.retention.ms", retentionMs);
		Producer first = new Producer(topic, "compression.type", codec);
		Producer second = new Producer(topic, "compression.type", codec);

		first.batch(10, "first");
		second.batch(10, "second");
		second.send("k3", null).send("k7", null).send("k1", "third").flush();
		second.at(TS + 5000).batch(2, "fourth");
		second.at(TS + 10000).send("k5", "fifth").flush();
		awaitCleaned(topic, 25);
		second.at(TS + 15000).send("k5", "sixth").flush();
		second.at(TS + 20000).send("k5", "seventh").send("k6", "fresh").flush();
		awaitCleaned(topic, 27);
		first.close();
		second.close();
	}

	private static void compactedTransactions() throws Exception {
		topic("compact-txn", 1, "cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "0.01");
		Producer tx = new Producer("compact-txn", "transactional.id", "tx-compact");
		Producer plain = new Producer("compact-txn");

		tx.initTransactions();
		for (int i = 0; i < 3; i++) {
			tx.beginTransaction();
			tx.batch(3, "transaction " + i);
			if (i == 1)
				tx.abortTransaction();
			else
				tx.commitTransaction();
		}
		plain.batch(1, "overwritten");
		/* Markers carry the wall clock, so from here on so do the records. */
		long now = System.currentTimeMillis();
		plain.at(now).batch(1, "last");
		plain.at(now + 5000).batch(1, "active");
		await("the cleaner to reach compact-txn", () ->
			Files.readAllLines(dir.resolve("cleaner-offset-checkpoint")).stream().anyMatch(l -> l.startsWith("compact-txn 0 1")));
		tx.close();
		plain.close();
	}

	/* ---- groups ---- */

	private static KafkaConsumer<byte[], byte[]> consumer(String group, Object... pairs) {
		Map<String, Object> config = config("group.id", group, "auto.offset.reset", "earliest",
			"enable.auto.commit", false);

		config.putAll(config(pairs));
		return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
	}

	private static void commitFirst(KafkaConsumer<byte[], byte[]> c, String metadata) throws Exception {
		await("records for a group", () -> !c.poll(Duration.ofMillis(100)).isEmpty());
		Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();

		for (TopicPartition p : c.assignment())
			offsets.put(p, new OffsetAndMetadata(c.position(p), metadata));
		c.commitSync(offsets);
	}

	private static void groups() throws Exception {
		try (KafkaConsumer<byte[], byte[]> c = consumer("classic")) {
			c.subscribe(List.of("codec-none", "nulls"));
			commitFirst(c, "a word on it");
		}
		KafkaConsumer<byte[], byte[]> fixed = consumer("classic-static", "group.instance.id", "instance-1");
		fixed.subscribe(List.of("codec-gzip"));
		commitFirst(fixed, "");
		fixed.close();
		try (KafkaConsumer<byte[], byte[]> c = consumer("new", "group.protocol", "consumer")) {
			c.subscribe(List.of("codec-lz4", "nulls"));
			commitFirst(c, "");
		}
		KafkaConsumer<byte[], byte[]> live = consumer("new-live", "group.protocol", "consumer");
		live.subscribe(new SubscriptionPattern("codec-(gzip|zstd)"));
		commitFirst(live, "");

		TopicPartition p = new TopicPartition("codec-none", 0);
		TopicPartition q = new TopicPartition("nulls", 2);
		admin.alterConsumerGroupOffsets("simple", Map.of(p, new OffsetAndMetadata(7, "set by hand"),
			q, new OffsetAndMetadata(1))).all().get();
		admin.deleteConsumerGroupOffsets("simple", Set.of(q)).all().get();
		admin.alterConsumerGroupOffsets("gone", Map.of(p, new OffsetAndMetadata(3))).all().get();
		admin.deleteConsumerGroups(List.of("gone")).all().get();

		Producer tx = new Producer("codec-none", "transactional.id", "tx-offsets", "transaction.timeout.ms", 900000);
		tx.initTransactions();
		for (int i = 1; i <= 3; i++) {
			tx.beginTransaction();
			tx.sendOffsetsToTransaction(Map.of(p, new OffsetAndMetadata(10 * i)), consumer("in-txn").groupMetadata());
			if (i == 1)
				tx.commitTransaction();
			else if (i == 2)
				tx.abortTransaction();
		}
		share();
	}

	private static void share() throws Exception {
		admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, "shared"), set("share.auto.offset.reset", "earliest"))).all().get();
		try (KafkaShareConsumer<byte[], byte[]> c = new KafkaShareConsumer<>(config("group.id", "shared"),
				new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
			c.subscribe(List.of("codec-none"));
			await("records for a share group", () -> !c.poll(Duration.ofMillis(100)).isEmpty());
			c.commitSync();
		}
	}

	/* ---- the cluster's own records ---- */

	private static Collection<AlterConfigOp> set(String key, String value) {
		return List.of(new AlterConfigOp(new ConfigEntry(key, value),
			value == null ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET));
	}

	private static void metadata() throws Exception {
		topic("configured", 1, "max.message.bytes", "2000000", "segment.bytes", "2097152",
			"cleanup.policy", "compact,delete", "compression.type", "producer");
		ConfigResource configured = new ConfigResource(ConfigResource.Type.TOPIC, "configured");
		admin.incrementalAlterConfigs(Map.of(configured, set("flush.messages", "100"))).all().get();
		admin.incrementalAlterConfigs(Map.of(configured, set("max.message.bytes", null))).all().get();
		admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.BROKER, ""),
			set("log.cleaner.threads", "1"))).all().get();
		admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.BROKER, "1"),
			set("message.max.bytes", "1500000"))).all().get();
		admin.createPartitions(Map.of("configured", NewPartitions.increaseTo(3))).all().get();

		topic("deleted", 1);
		try (Producer p = new Producer("deleted")) {
			p.batch(1, "soon gone");
		}
		admin.deleteTopics(List.of("deleted")).all().get();
		await("the deleted topic's directory to go", () -> {
			try (var names = Files.list(dir)) {
				return names.noneMatch(n -> n.getFileName().toString().startsWith("deleted-"));
			}
		});
		admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("user", "alice")),
			List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1048576.0))))).all().get();
		admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice",
			new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "a password that is known to all"))).all().get();
		topic("empty", 2);
	}

	private static void epochs(String value) throws Exception {
		try (Producer p = new Producer("epochs")) {
			p.batch(3, value);
		}
	}

	private static void killed() throws Exception {
		topic("killed", 1, "internal.segment.bytes", "6000", "index.interval.bytes", "300");
		Producer p = new Producer("killed");
		for (int i = 0; i < 60; i++)
			p.at(TS + i * 100).batch(2, "z".repeat(100));
		topic("killed-txn", 1);
		Producer tx = new Producer("killed-txn", "transactional.id", "tx-killed", "transaction.timeout.ms", 900000);
		tx.initTransactions();
		for (int i = 0; i < 3; i++) {
			tx.beginTransaction();
			tx.batch(2, "transaction " + i);
			if (i == 0)
				tx.abortTransaction();
			else if (i == 1)
				tx.commitTransaction();
		}
		admin.alterConsumerGroupOffsets("killed", Map.of(new TopicPartition("killed", 0), new OffsetAndMetadata(5))).all().get();
	}

	public static void main(String[] args) throws Exception {
		bootstrap = args[0];
		dir = Path.of(args[1]);
		admin = Admin.create(config());
		if (args[2].equals("before")) {
			topic("epochs", 1);
			epochs("first epoch");
		} else if (args[2].equals("killed")) {
			killed();
		} else {
			epochs("second epoch");
			codecs();
			shapes();
			producers();
			transactions();
			segments();
			trimmed();
			compacted("compact", "none", "86400000");
			compacted("compact-gzip", "gzip", "86400000");
			compacted("compact-gone", "none", "0");
			compactedTransactions();
			groups();
			metadata();
		}
		Runtime.getRuntime().halt(0);
	}
}
