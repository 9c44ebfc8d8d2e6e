import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.HexFormat;

import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/*
 * WireOracle: reads messages that we encoded with Kafka's own classes.
 *
 * Lines of stdin: NAME <tab> VERSION <tab> HEX <tab> JSON. For each one Kafka's
 * class of that name must read the bytes to the last, write the same bytes, and
 * its JSON converter must say what ours says. Prints a line for each mismatch
 * and at last "COUNT messages"; exits 1 after a mismatch.
 */
class WireOracle {
	static final String[] PACKAGES = {
		"org.apache.kafka.common.metadata.",
		"org.apache.kafka.common.message.",
		"org.apache.kafka.coordinator.group.generated.",
		"org.apache.kafka.coordinator.transaction.generated.",
		"org.apache.kafka.coordinator.share.generated.",
	};
	static final ObjectMapper MAPPER = new ObjectMapper();

	static Class<?> find(String name) throws ClassNotFoundException {
		for (String p : PACKAGES) {
			try {
				return Class.forName(p + name);
			} catch (ClassNotFoundException e) {
				continue;
			}
		}
		throw new ClassNotFoundException(name);
	}

	static String check(String name, short version, byte[] bytes, String json) throws Exception {
		Class<?> type = find(name);
		Message message = (Message) type.getConstructor().newInstance();
		ByteBuffer in = ByteBuffer.wrap(bytes);
		message.read(new ByteBufferAccessor(in), version);
		if (in.hasRemaining())
			return in.remaining() + " bytes left over";

		ByteBuffer out = MessageUtil.toByteBufferAccessor(message, version).buffer();
		byte[] written = new byte[out.remaining()];
		out.get(written);
		if (!java.util.Arrays.equals(bytes, written))
			return "written as " + HexFormat.of().formatHex(written);

		Method write = find(name + "JsonConverter").getMethod("write", type, short.class);
		JsonNode theirs = MAPPER.readTree(write.invoke(null, message, version).toString());
		if (!theirs.equals(MAPPER.readTree(json)))
			return "its JSON is " + theirs;
		return null;
	}

	public static void main(String[] args) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
		int count = 0, bad = 0;

		for (String line; (line = in.readLine()) != null; count++) {
			String[] part = line.split("\t", 4);
			String problem;
			try {
				problem = check(part[0], Short.parseShort(part[1]), HexFormat.of().parseHex(part[2]), part[3]);
			} catch (Exception e) {
				problem = e.toString();
			}
			if (problem != null) {
				System.out.println(line + "\n\t" + problem);
				bad++;
			}
		}
		System.out.println(count + " messages");
		System.exit(bad == 0 ? 0 : 1);
	}
}
