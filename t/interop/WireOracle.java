import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.HexFormat;

import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

/*
 * WireOracle: reads messages that we encoded with Kafka's own classes.
 *
 * Lines of stdin: NAME <tab> VERSION <tab> HEX <tab> JSON. For each one Kafka's
 * class of that name must read the bytes to the last, write the same bytes, also
 * when it was made from the JSON, and its JSON converter must say what ours says.
 * Prints a line for each mismatch and at last "COUNT messages"; exits 1 after a
 * mismatch. With keys of APIs as arguments it prints a line about each instead.
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

	/* Requests, responses and headers are called ...Data there. */
	static Class<?> find(String name) throws ClassNotFoundException {
		for (String p : PACKAGES) {
			for (String suffix : new String[] {"", "Data"}) {
				try {
					return Class.forName(p + name + suffix);
				} catch (ClassNotFoundException e) {
					continue;
				}
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

		String written = write(message, version);
		if (!written.equals(HexFormat.of().formatHex(bytes)))
			return "written as " + written;

		Class<?> converter = Class.forName(type.getName() + "JsonConverter");
		JsonNode ours = MAPPER.readTree(json);
		Message made = (Message) converter.getMethod("read", JsonNode.class, short.class)
			.invoke(null, ours, version);
		written = write(made, version);
		if (!written.equals(HexFormat.of().formatHex(bytes)))
			return "made from its JSON and written as " + written;

		Method print = converter.getMethod("write", type, short.class, boolean.class);
		JsonNode theirs = MAPPER.readTree(print.invoke(null, message, version, false).toString());
		sizeRecords(ours);
		if (!theirs.equals(ours))
			return "its JSON is " + theirs;
		return null;
	}

	static String write(Message message, short version) {
		ByteBuffer out = MessageUtil.toByteBufferAccessor(message, version).buffer();
		byte[] written = new byte[out.remaining()];
		out.get(written);
		return HexFormat.of().formatHex(written);
	}

	/* Kafka's JSON has no record batches, only their size. */
	static void sizeRecords(JsonNode node) throws Exception {
		if (node instanceof ObjectNode object && object.path("records").isTextual()) {
			object.put("recordsSizeInBytes", object.get("records").binaryValue().length);
			object.remove("records");
		}
		for (JsonNode child : node)
			sizeRecords(child);
	}

	/* A key's versions, where it is served, and the headers of each version and
	 * of one more: what t/unit/wire_api --list prints of ours. */
	static void printApi(ApiKeys api) {
		StringBuilder line = new StringBuilder(api.id + " " + api.name);

		line.append(" " + api.oldestVersion() + "-" + api.latestVersion(false));
		if (api.inScope(ListenerType.BROKER))
			line.append(" broker");
		if (api.inScope(ListenerType.CONTROLLER))
			line.append(" controller");
		if (api.forwardable)
			line.append(" forwarded");
		line.append(" headers");
		for (short v = 0; v <= api.latestVersion(false) + 1; v++)
			line.append(" " + api.requestHeaderVersion(v) + "/" + api.responseHeaderVersion(v));
		System.out.println(line);
	}

	public static void main(String[] args) throws Exception {
		if (args.length > 0) {
			for (String key : args)
				printApi(ApiKeys.forId(Integer.parseInt(key)));
			return;
		}
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
