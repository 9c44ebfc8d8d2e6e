import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;

/*
 * KafkaState BOOTSTRAP: prints what a broker says it holds, one JSON object a
 * line, sorted: topics with their own configs, partitions with their offsets,
 * groups, committed offsets. `end` is the high watermark, `stable` the end that
 * read_committed sees, `maxTs` the newest timestamp with its offset.
 */
public class KafkaState {
	private static Admin admin;

	private static Map<TopicPartition, ListOffsetsResultInfo> offsets(Iterable<TopicPartition> partitions,
			OffsetSpec spec, IsolationLevel level) throws Exception {
		Map<TopicPartition, OffsetSpec> query = new HashMap<>();

		partitions.forEach(p -> query.put(p, spec));
		return admin.listOffsets(query, new ListOffsetsOptions(level)).all().get();
	}

	private static String configs(String topic) throws Exception {
		ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
		Map<String, String> own = new TreeMap<>();

		for (ConfigEntry e : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries())
			if (e.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
				own.put(e.name(), RecordJson.text(e.name()) + ":" + RecordJson.text(e.value()));
		return "{" + String.join(",", own.values()) + "}";
	}

	private static void topics() throws Exception {
		TreeSet<String> names = new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
		List<TopicPartition> all = new ArrayList<>();

		for (TopicDescription t : new TreeMap<>(admin.describeTopics(names).allTopicNames().get()).values()) {
			System.out.println("{\"topic\":" + RecordJson.text(t.name()) + ",\"id\":\"" + t.topicId()
				+ "\",\"partitions\":" + t.partitions().size() + ",\"configs\":" + configs(t.name()) + "}");
			for (TopicPartitionInfo p : t.partitions())
				all.add(new TopicPartition(t.name(), p.partition()));
		}
		var start = offsets(all, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED);
		var end = offsets(all, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED);
		var stable = offsets(all, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
		var newest = offsets(all, OffsetSpec.maxTimestamp(), IsolationLevel.READ_UNCOMMITTED);
		for (TopicPartition p : all)
			System.out.println("{\"topic\":" + RecordJson.text(p.topic()) + ",\"partition\":" + p.partition()
				+ ",\"start\":" + start.get(p).offset() + ",\"end\":" + end.get(p).offset()
				+ ",\"stable\":" + stable.get(p).offset() + ",\"maxTs\":" + newest.get(p).timestamp()
				+ ",\"maxTsOffset\":" + newest.get(p).offset() + "}");
	}

	private static void groups() throws Exception {
		Map<String, GroupListing> groups = new TreeMap<>();

		for (GroupListing g : admin.listGroups().all().get())
			groups.put(g.groupId(), g);
		for (GroupListing g : groups.values()) {
			System.out.println("{\"group\":" + RecordJson.text(g.groupId()) + ",\"type\":\"" + g.type().get()
				+ "\",\"protocol\":\"" + g.protocol() + "\"}");
			if (g.type().get() == GroupType.SHARE)
				continue;
			Map<String, String> lines = new TreeMap<>();
			Map<TopicPartition, OffsetAndMetadata> committed =
				admin.listConsumerGroupOffsets(g.groupId()).partitionsToOffsetAndMetadata().get();
			committed.forEach((p, o) -> lines.put(p.toString(), "{\"group\":" + RecordJson.text(g.groupId())
				+ ",\"topic\":" + RecordJson.text(p.topic()) + ",\"partition\":" + p.partition()
				+ ",\"offset\":" + o.offset() + ",\"leaderEpoch\":" + o.leaderEpoch().orElse(-1)
				+ ",\"metadata\":" + RecordJson.text(o.metadata()) + "}"));
			lines.values().forEach(System.out::println);
		}
	}

	public static void main(String[] args) throws Exception {
		admin = Admin.create(Map.of("bootstrap.servers", args[0]));
		topics();
		groups();
		admin.close();
	}
}
