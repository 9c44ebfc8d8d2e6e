"""ApiVersions, and what every request has in common: versions, headers, frames."""
import struct

from kafka_wire import Raw
from oracle_words import ask, case, raw

APIS = ("Produce Fetch ListOffsets Metadata OffsetCommit OffsetFetch FindCoordinator JoinGroup Heartbeat LeaveGroup SyncGroup "
        "DescribeGroups ListGroups DeleteGroups OffsetDelete ApiVersions CreateTopics DeleteTopics CreatePartitions DeleteRecords "
        "InitProducerId OffsetForLeaderEpoch DescribeConfigs AlterConfigs IncrementalAlterConfigs DescribeLogDirs DescribeCluster "
        "DescribeProducers DescribeTopicPartitions ElectLeaders ListConfigResources").split()
NAMED = {"clientSoftwareName": "oracle", "clientSoftwareVersion": "1.0"}

# --- ApiVersions
case("what there is", "ApiVersions", ask("ApiVersions", NAMED))
for name, version in (("", "1"), ("x", ""), ("a b", "1"), ("-a", "1"), ("a-", "1"), ("a", "1_0"), ("ü", "1"), ("a", ".1"),
                      ("a.b-c", "1.0-rc.2"), ("a", "1")):
    case(f"software {name!r} {version!r}", "ApiVersions", ask("ApiVersions", {
        "clientSoftwareName": name, "clientSoftwareVersion": version}), versions=(3, 4))
for version in (5, 6, 99, 32767, -1):
    case(f"version {version}", "ApiVersions", ask("ApiVersions", Raw(b"\xff\xff whatever"), v=version), ask("ApiVersions", NAMED),
         versions=[4])
case("twice, and after others", "ApiVersions", ask("ApiVersions", NAMED), ask("ApiVersions", NAMED),
     ask("Metadata", {"topics": []}), ask("ApiVersions", NAMED))
case("a body cut short", "ApiVersions", ask("ApiVersions", Raw(b"\x07ora")), versions=(3, 4))
case("bytes after the body", "ApiVersions", ask("ApiVersions", Raw(b"more")), versions=(0, 2))
case("without a client id", "ApiVersions", ask("ApiVersions", NAMED, client_id=None))
case("an empty client id", "ApiVersions", ask("ApiVersions", NAMED, client_id=""))
case("a client id that is no UTF-8", "ApiVersions", ask("ApiVersions", NAMED, client_id=b"\xff\xfe"))

# --- every API
for api in APIS:
    if api == "ApiVersions":
        continue
    case("a version that there will not be", api, ask(api, Raw(b""), v=99), versions=[-1])
    case("version -1", api, ask(api, Raw(b""), v=-1), versions=[-1])
    case("no body", api, ask(api, Raw(b""), wait_s=2))
    case("a body of 0xff", api, ask(api, Raw(b"\xff" * 40), wait_s=2))


# --- frames
def header(key, version=0, correlation=1, client=b"\0\1x"):
    return struct.pack(">hhi", key, version, correlation) + client


case("API key 4, which is gone", "ApiVersions", raw(header(4)), versions=[4])
case("API key 1000", "ApiVersions", raw(header(1000)), versions=[4])
case("API key -1", "ApiVersions", raw(header(-1)), versions=[4])
for key, name in ((52, "Vote"), (62, "BrokerRegistration"), (53, "BeginQuorumEpoch"), (58, "Envelope")):
    case(f"a controller's API: {name}", "ApiVersions", raw(header(key) + b"\0"), versions=[4])
for version in (0, 1, 2):
    case(f"Produce version {version}, which is listed", "ApiVersions", raw(
        header(0, version) + b"\0\1\0\0\0\1\0\0\0\0"), versions=[4])
case("an empty frame", "ApiVersions", raw(b""), versions=[4])
case("a frame of one byte", "ApiVersions", raw(b"\0"), versions=[4])
case("a frame that ends in its header", "ApiVersions", raw(b"\0\x12\0\0\0\0"), versions=[4])
case("a client id longer than the frame", "ApiVersions", raw(header(18, client=b"\x7f\xffx")), versions=[4])
case("a client id of length -2", "ApiVersions", raw(header(18, client=b"\xff\xfe")), versions=[4])
case("a frame of negative length", "ApiVersions", raw(b"\xff\xff\xff\xff", unframed=True), versions=[4])
case("a frame of 2 GB", "ApiVersions", raw(b"\x7f\xff\xff\xff" + header(18), unframed=True), versions=[4])
case("HTTP", "ApiVersions", raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", unframed=True), versions=[4])
case("TLS", "ApiVersions", raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", unframed=True), versions=[4])
case("bytes after a request's body", "Metadata", ask("Metadata", Raw(b"\0\0\0\0more")), versions=[1])
case("an unknown tag in the header", "Metadata", raw(header(3, 9) + b"\1\x63\2ab" + b"\1\0\0\0\0", answer=("Metadata", 9)), versions=[9])
case("an unknown tag in the body", "Metadata", ask("Metadata", {"topics": [], "_tags": {99: b"ab"}}), versions=(9, 13))
case("tags out of order", "Metadata", ask("Metadata", Raw(b"\1\0\0\0\2\x63\0\x62\0")), versions=[9])
case("a tag twice", "Metadata", ask("Metadata", Raw(b"\1\0\0\0\2\x63\0\x63\0")), versions=[9])
case("a count of elements that cannot be", "Metadata", ask("Metadata", Raw(b"\x7f\xff\xff\xff")), versions=[1])
case("a null name where none may be", "CreateTopics", ask("CreateTopics", {"topics": [{"name": None}], "timeoutMs": 1000}))
case("a null list where none may be", "CreateTopics", ask("CreateTopics", {"topics": None, "timeoutMs": 1000}))
case("a string that is no UTF-8", "Metadata", ask("Metadata", {"topics": [{"name": b"\xff\xfe"}], "allowAutoTopicCreation": False}),
     versions=(4, 13))
