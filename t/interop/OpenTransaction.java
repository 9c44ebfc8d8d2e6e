import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.metadata.BeginTransactionRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/*
 * OpenTransaction LOG OFFSET EPOCH: appends to a metadata log the beginning of a
 * transaction, with a topic "swallowed" in it, and no end. Kafka refuses a
 * metadata batch whose records differ in time.
 */
public class OpenTransaction {
	private static SimpleRecord record(long ts, ApiMessage message) {
		ApiMessageAndVersion m = new ApiMessageAndVersion(message, (short) 0);
		ObjectSerializationCache cache = new ObjectSerializationCache();
		ByteBuffer bytes = ByteBuffer.allocate(new MetadataRecordSerde().recordSize(m, cache));

		new MetadataRecordSerde().write(m, cache, new ByteBufferAccessor(bytes));
		return new SimpleRecord(ts, null, bytes.array());
	}

	public static void main(String[] args) throws Exception {
		long now = System.currentTimeMillis();
		MemoryRecords batch = MemoryRecords.withRecords(Long.parseLong(args[1]), Compression.NONE, Integer.parseInt(args[2]),
			record(now, new BeginTransactionRecord().setName("never ended")),
			record(now, new TopicRecord().setName("swallowed").setTopicId(Uuid.randomUuid())));

		try (FileChannel log = FileChannel.open(Path.of(args[0]), StandardOpenOption.APPEND)) {
			log.write(batch.buffer());
		}
	}
}
