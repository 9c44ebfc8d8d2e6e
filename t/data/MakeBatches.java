import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.KRaftVersionRecordJsonConverter;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.LeaderChangeMessageJsonConverter;
import org.apache.kafka.common.message.SnapshotFooterRecord;
import org.apache.kafka.common.message.SnapshotFooterRecordJsonConverter;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.message.SnapshotHeaderRecordJsonConverter;
import org.apache.kafka.common.message.VotersRecord;
import org.apache.kafka.common.message.VotersRecordJsonConverter;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.ControlRecordUtils;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.xerial.snappy.Snappy;

/*
 * MakeBatches DIR: record batches as Kafka's own classes build them, one a file
 * (NAME.bin), each with what Kafka's own reader makes of it (NAME.json).
 * The bytes are the same at every run.
 */
public class MakeBatches {
	private static final long TS = 1700000000000L;
	private static Path dir;

	private static byte[] utf8(String s) {
		return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
	}

	private static Header header(String name, String value) {
		return new RecordHeader(name, utf8(value));
	}

	/* ---- building ---- */

	private interface Fill {
		void into(MemoryRecordsBuilder b);
	}

	private static class Spec {
		byte magic = RecordBatch.MAGIC_VALUE_V2;
		Compression codec = Compression.NONE;
		TimestampType tstype = TimestampType.CREATE_TIME;
		long baseOffset, appendTime = RecordBatch.NO_TIMESTAMP;
		long producerId = RecordBatch.NO_PRODUCER_ID, horizon = RecordBatch.NO_TIMESTAMP;
		short producerEpoch = RecordBatch.NO_PRODUCER_EPOCH;
		int baseSequence = RecordBatch.NO_SEQUENCE, leaderEpoch;
		boolean transactional, control;

		Spec producer(long id, int epoch, int sequence) {
			producerId = id;
			producerEpoch = (short) epoch;
			baseSequence = sequence;
			return this;
		}

		ByteBuffer build(Fill fill) {
			MemoryRecordsBuilder b = new MemoryRecordsBuilder(new ByteBufferOutputStream(1 << 17), magic, codec,
				tstype, baseOffset, appendTime, producerId, producerEpoch, baseSequence, transactional,
				control, leaderEpoch, 1 << 20, horizon);

			fill.into(b);
			return b.build().buffer();
		}
	}

	private static Spec codec(Compression codec) {
		Spec s = new Spec();

		s.codec = codec;
		return s;
	}

	private static Spec control(int leaderEpoch) {
		Spec s = new Spec();

		s.control = true;
		s.leaderEpoch = leaderEpoch;
		return s;
	}

	/* 70 KiB of lines, more than one block of lz4's and of snappy's framing. */
	private static void lines(MemoryRecordsBuilder b) {
		for (int i = 0; i < 70; i++) {
			StringBuilder line = new StringBuilder();

			for (int j = 0; line.length() < 1000; j++)
				line.append("line ").append(i).append(" word ").append(i * 31 * (j + 7) % 97).append("; ");
			b.append(TS + i, utf8("key-" + i), utf8(line.toString()));
		}
	}

	private static void three(MemoryRecordsBuilder b) {
		for (int i = 0; i < 3; i++)
			b.append(TS + i, utf8("k" + i), utf8("value " + i));
	}

	private static void dataBatches() throws IOException {
		put("one", new Spec().build(b -> b.append(TS, utf8("k"), utf8("v"), new Header[] { header("h", "1") })));
		put("none", codec(Compression.NONE).build(MakeBatches::three));
		put("gzip", codec(Compression.gzip().build()).build(MakeBatches::lines));
		put("snappy", codec(Compression.snappy().build()).build(MakeBatches::lines));
		put("lz4", codec(Compression.lz4().build()).build(MakeBatches::lines));
		put("zstd", codec(Compression.zstd().build()).build(MakeBatches::lines));
		put("headers", new Spec().build(b -> {
			b.append(TS, utf8("null value"), utf8("v"), new Header[] { header("h", null) });
			b.append(TS, utf8("empty value"), utf8("v"), new Header[] { header("h", "") });
			b.append(TS, utf8("empty name"), utf8("v"), new Header[] { header("", "1") });
			b.append(TS, utf8("twice"), utf8("v"), new Header[] { header("h", "1"), header("i", "2"), header("h", "3") });
			b.append(TS, utf8("not ascii"), utf8("v"), new Header[] { header("\u00e9\u20ac\ud83d\ude00", "\u00e9") });
		}));
		put("nulls", new Spec().build(b -> {
			b.append(TS, (byte[]) null, null);
			b.append(TS, null, utf8("v"));
			b.append(TS, utf8("k"), null);
			b.append(TS, utf8(""), utf8(""));
			b.append(TS, new byte[] { 0, (byte) 0xff, (byte) 0xc3, 0x28 }, new byte[] { 10, 13, 0, (byte) 0x80 });
		}));
		put("times", new Spec().build(b -> {
			b.append(TS, utf8("first"), null);
			b.append(TS + 86400000, utf8("a day on"), null);
			b.append(TS - 86400000, utf8("a day back"), null);
			b.append(RecordBatch.NO_TIMESTAMP, utf8("none"), null);
		}));

		Spec append = new Spec();
		append.tstype = TimestampType.LOG_APPEND_TIME;
		append.appendTime = TS + 5000;
		put("append-time", append.build(MakeBatches::three));
		append.codec = Compression.gzip().build();
		put("append-time-gzip", append.build(MakeBatches::three));

		Spec far = new Spec();
		far.baseOffset = 1L << 40;
		far.leaderEpoch = 77;
		put("far-offset", far.build(MakeBatches::three));
		put("idempotent", new Spec().producer(7, 1, 4).build(MakeBatches::three));
		put("sequence-wrap", new Spec().producer(7, 1, Integer.MAX_VALUE - 1).build(MakeBatches::three));
		Spec txn = new Spec().producer(7, 1, 0);
		txn.transactional = true;
		put("transactional", txn.build(MakeBatches::three));
	}

	/* What the cleaner leaves behind. */
	private static void compactedBatches() throws IOException {
		Spec gaps = new Spec().producer(7, 1, 4);
		gaps.baseOffset = 100;
		put("gaps", gaps.build(b -> {
			b.appendWithOffset(102, TS + 2, utf8("k2"), utf8("v"));
			b.appendWithOffset(107, TS + 7, utf8("k7"), utf8("v"));
			b.overrideLastOffset(111);
		}));
		gaps.horizon = TS + 86400000;
		put("delete-horizon", gaps.build(b -> {
			b.appendWithOffset(103, TS, utf8("dead"), null);
			b.appendWithOffset(104, TS + 4, utf8("alive"), utf8("v"));
			b.overrideLastOffset(109);
		}));
		ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
		DefaultRecordBatch.writeEmptyHeader(empty, RecordBatch.MAGIC_VALUE_V2, 7, (short) 1, 4, 100, 109, 3,
			TimestampType.CREATE_TIME, TS, false, false);
		empty.flip();
		put("empty", empty);
	}

	private static void controlBatches() throws IOException {
		put("commit", MemoryRecords.withEndTransactionMarker(5, TS, 0, 7, (short) 1,
			new EndTransactionMarker(ControlRecordType.COMMIT, 3)).buffer());
		put("abort", MemoryRecords.withEndTransactionMarker(5, TS, 0, 7, (short) 1,
			new EndTransactionMarker(ControlRecordType.ABORT, 3)).buffer());

		LeaderChangeMessage leader = new LeaderChangeMessage().setLeaderId(2).setVoters(Arrays.asList(
			new LeaderChangeMessage.Voter().setVoterId(1), new LeaderChangeMessage.Voter().setVoterId(2)))
			.setGrantingVoters(Arrays.asList(new LeaderChangeMessage.Voter().setVoterId(2)));
		KRaftVersionRecord version = new KRaftVersionRecord().setKRaftVersion((short) 1);
		VotersRecord.EndpointCollection endpoints = new VotersRecord.EndpointCollection();
		endpoints.add(new VotersRecord.Endpoint().setName("CONTROLLER").setHost("127.0.0.1").setPort(60093));
		VotersRecord voters = new VotersRecord().setVoters(Arrays.asList(new VotersRecord.Voter().setVoterId(2)
			.setVoterDirectoryId(new Uuid(0x1111111111114111L, 0x8111111111111111L)).setEndpoints(endpoints)
			.setKRaftVersionFeature(new VotersRecord.KRaftVersionFeature().setMaxSupportedVersion((short) 1))));
		SnapshotHeaderRecord header = new SnapshotHeaderRecord().setLastContainedLogTimestamp(TS);
		SnapshotFooterRecord footer = new SnapshotFooterRecord();

		put("leader-change", control(4).build(b -> b.appendLeaderChangeMessage(TS, leader)));
		put("kraft-version", control(4).build(b -> b.appendKRaftVersionMessage(TS, version)));
		put("voters", control(4).build(b -> b.appendVotersMessage(TS, voters)));
		put("snapshot-header", control(4).build(b -> b.appendSnapshotHeaderMessage(TS, header)));
		put("snapshot-footer", control(4).build(b -> b.appendSnapshotFooterMessage(TS, footer)));
		put("kraft-start", control(4).build(b -> {
			b.appendLeaderChangeMessage(TS, leader);
			b.appendKRaftVersionMessage(TS, version);
			b.appendVotersMessage(TS, voters);
		}));
	}

	/* librdkafka's snappy: no framing, the whole of the records in one block. */
	private static void rawSnappy() throws IOException {
		ByteBuffer plain = new Spec().build(MakeBatches::lines);
		int overhead = DefaultRecordBatch.RECORD_BATCH_OVERHEAD;
		byte[] records = new byte[plain.limit() - overhead];
		plain.position(overhead);
		plain.get(records);
		byte[] packed = Snappy.compress(records);
		ByteBuffer out = ByteBuffer.allocate(overhead + packed.length);

		out.position(overhead);
		out.put(packed);
		out.position(0);
		DefaultRecordBatch.writeHeader(out, 0, 69, out.capacity(), RecordBatch.MAGIC_VALUE_V2, CompressionType.SNAPPY,
			TimestampType.CREATE_TIME, TS, TS + 69, RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH,
			RecordBatch.NO_SEQUENCE, false, false, false, 0, 70);
		out.position(0);
		put("snappy-raw", out);
	}

	/* The formats before Kafka 0.11: to be refused by name. */
	private static void oldBatches() throws IOException {
		Spec old = new Spec();

		old.magic = RecordBatch.MAGIC_VALUE_V1;
		put("magic-1", old.build(MakeBatches::three));
		old.magic = RecordBatch.MAGIC_VALUE_V0;
		old.tstype = TimestampType.NO_TIMESTAMP_TYPE;
		put("magic-0", old.build(MakeBatches::three));
	}

	/* ---- describing ---- */

	private static String controlJson(Record r) {
		switch (ControlRecordType.parse(r.key())) {
		case ABORT:
		case COMMIT:
			EndTransactionMarker marker = EndTransactionMarker.deserialize(r);
			return "{\"type\":\"" + marker.controlType() + "\",\"coordinatorEpoch\":" + marker.coordinatorEpoch() + "}";
		case LEADER_CHANGE:
			return "{\"type\":\"LEADER_CHANGE\",\"data\":" + LeaderChangeMessageJsonConverter.write(
				ControlRecordUtils.deserializeLeaderChangeMessage(r), (short) 0) + "}";
		case SNAPSHOT_HEADER:
			return "{\"type\":\"SNAPSHOT_HEADER\",\"data\":" + SnapshotHeaderRecordJsonConverter.write(
				ControlRecordUtils.deserializeSnapshotHeaderRecord(r), (short) 0) + "}";
		case SNAPSHOT_FOOTER:
			return "{\"type\":\"SNAPSHOT_FOOTER\",\"data\":" + SnapshotFooterRecordJsonConverter.write(
				ControlRecordUtils.deserializeSnapshotFooterRecord(r), (short) 0) + "}";
		case KRAFT_VERSION:
			return "{\"type\":\"KRAFT_VERSION\",\"data\":" + KRaftVersionRecordJsonConverter.write(
				ControlRecordUtils.deserializeKRaftVersionRecord(r), (short) 0) + "}";
		case KRAFT_VOTERS:
			return "{\"type\":\"KRAFT_VOTERS\",\"data\":" + VotersRecordJsonConverter.write(
				ControlRecordUtils.deserializeVotersRecord(r), (short) 0) + "}";
		default:
			throw new IllegalArgumentException("unknown control record");
		}
	}

	private static String recordJson(Record r, boolean control) {
		return "  {\"offset\":" + r.offset() + ",\"ts\":" + r.timestamp() + ",\"sequence\":" + r.sequence()
			+ ",\"headers\":" + RecordJson.headers(Arrays.asList(r.headers()))
			+ ",\"key\":" + RecordJson.bytes(r.hasKey() ? r.key() : null)
			+ ",\"value\":" + RecordJson.bytes(r.hasValue() ? r.value() : null)
			+ (control ? ",\"control\":" + controlJson(r) : "") + "}";
	}

	private static String batchJson(RecordBatch b, int attributes) {
		List<String> records = new ArrayList<>();

		for (Record r : b)
			records.add(recordJson(r, b.isControlBatch()));
		return "{\"magic\":" + b.magic() + ",\"size\":" + b.sizeInBytes() + ",\"baseOffset\":" + b.baseOffset()
			+ ",\"lastOffset\":" + b.lastOffset() + ",\"leaderEpoch\":" + b.partitionLeaderEpoch()
			+ ",\"crc\":" + b.checksum() + ",\"attributes\":" + attributes
			+ ",\"codec\":\"" + b.compressionType().name + "\",\"tstype\":" + RecordJson.timestampType(b.timestampType())
			+ ",\"transactional\":" + b.isTransactional() + ",\"control\":" + b.isControlBatch()
			+ ",\"deleteHorizonMs\":" + (b.deleteHorizonMs().isPresent() ? b.deleteHorizonMs().getAsLong() : "null")
			+ ",\"maxTimestamp\":" + b.maxTimestamp() + ",\"producerId\":" + b.producerId()
			+ ",\"producerEpoch\":" + b.producerEpoch() + ",\"baseSequence\":" + b.baseSequence()
			+ ",\"lastSequence\":" + b.lastSequence() + ",\"count\":" + (b.countOrNull() == null ? records.size() : b.countOrNull())
			+ ",\"records\":[\n" + String.join(",\n", records) + (records.isEmpty() ? "" : "\n") + "]}";
	}

	/* The old formats lie as one entry a record; they get no description. */
	private static void put(String name, ByteBuffer bytes) throws IOException {
		byte[] raw = new byte[bytes.limit()];
		bytes.duplicate().position(0).get(raw);
		Files.write(dir.resolve(name + ".bin"), raw);
		if (raw[16] != RecordBatch.MAGIC_VALUE_V2)
			return;
		for (MutableRecordBatch b : MemoryRecords.readableRecords(ByteBuffer.wrap(raw)).batches()) {
			b.ensureValid();
			Files.write(dir.resolve(name + ".json"),
				(batchJson(b, raw[21] << 8 | raw[22]) + "\n").getBytes(StandardCharsets.UTF_8));
		}
	}

	public static void main(String[] args) throws IOException {
		dir = Files.createDirectories(Path.of(args[0]));
		dataBatches();
		compactedBatches();
		controlBatches();
		rawSnappy();
		oldBatches();
	}
}
