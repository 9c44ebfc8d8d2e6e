import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;

/*
 * RecordJson: records as JSON, the one machine-readable form that expected
 * output has: bytes are base64 or null, headers a list of [name, value] pairs.
 */
class RecordJson {
	static String text(String s) {
		StringBuilder out = new StringBuilder("\"");

		for (char c : s.toCharArray()) {
			if (c == '"' || c == '\\')
				out.append('\\').append(c);
			else if (c < 0x20)
				out.append(String.format("\\u%04x", (int) c));
			else
				out.append(c);
		}
		return out.append('"').toString();
	}

	static String bytes(byte[] b) {
		return b == null ? "null" : '"' + Base64.getEncoder().encodeToString(b) + '"';
	}

	static String bytes(ByteBuffer b) {
		if (b == null)
			return "null";
		byte[] copy = new byte[b.remaining()];
		b.duplicate().get(copy);
		return bytes(copy);
	}

	static String headers(Iterable<Header> headers) {
		List<String> out = new ArrayList<>();

		for (Header h : headers)
			out.add("[" + text(h.key()) + "," + bytes(h.value()) + "]");
		return "[" + String.join(",", out) + "]";
	}

	/* Kafka's three types of timestamp, in mq's words. */
	static String timestampType(TimestampType type) {
		switch (type) {
		case CREATE_TIME:
			return "\"create\"";
		case LOG_APPEND_TIME:
			return "\"append\"";
		default:
			return "\"none\"";
		}
	}

	/* A record as a consumer gets it. */
	static String record(ConsumerRecord<byte[], byte[]> r) {
		return "{\"partition\":" + r.partition() + ",\"offset\":" + r.offset()
			+ ",\"tstype\":" + timestampType(r.timestampType()) + ",\"ts\":" + r.timestamp()
			+ ",\"headers\":" + headers(r.headers())
			+ ",\"key\":" + bytes(r.key()) + ",\"value\":" + bytes(r.value()) + "}";
	}
}
