"""oracle_accepted: where mqd answers other than Apache Kafka, and means to.

ACCEPTED is the table that oracle.py -a takes: in which cases (a regular expression
on "API: name"; all without one), which field ("API path", a whole match), why; with a
test(kafka's, ours) where the field alone says too little. share/doc/compatibility.md
tells people the same.
"""


def ours_says_more(kafka, ours):
    return kafka is None or isinstance(kafka, str) and isinstance(ours, str)


def only_kafka(_kafka, ours):
    return ours == "(absent)"


def only_ours(kafka, _ours):
    return kafka == "(absent)"


PART = r"responses\[.*\]\.partitionResponses\[.*\]"

ACCEPTED = [
    # --- what there is
    dict(field=r"(ApiVersions|raw) apiKeys\[(17|2[4-9]|3[0-9]|4\d|5\d|6\d|7\d|8\d|9\d)\]", test=only_kafka,
         reason="APIs that mqd does not have: transactions, SASL, ACLs, share groups, the newer consumer "
                "groups, delegation tokens, quotas, moves between directories, telemetry"),
    dict(field=r"(ApiVersions|raw) (supported|finalized)Features(\[.*\].*|#order)?",
         reason="features that mqd does not have are not told"),
    # --- Produce
    dict(field=rf"Produce {PART}\.errorMessage", test=ours_says_more,
         reason="mqd says in words what is wrong where Kafka has the code only, and in its own words"),
    dict(case="^Produce: ", field=rf"Produce {PART}\.recordErrors.*",
         reason="the first bad record is named, in other words"),
    dict(case="^Produce: codec .* (content that is none|which there is not)",
         field=rf"Produce {PART}\.(errorCode|logStartOffset)",
         reason="Kafka has UNKNOWN_SERVER_ERROR for what does not decompress; the producer's fault is told as such"),
    dict(case="^Produce: records null", field=r"Produce", reason="Kafka never answers; mqd does, INVALID_RECORD"),
    dict(case="^Produce: offset deltas (that|with)", field=r"(Produce|Fetch) .*",
         reason="Kafka stores records under offsets that no reader can make sense of, unless they are compressed; "
                "mqd refuses them in any case"),
    dict(case="^Produce: LogAppendTime set by the producer", field=r"(Produce|Fetch) .*",
         reason="only the log says that its times are the log's: INVALID_TIMESTAMP for any topic"),
    dict(case="^Produce: a? ?transactional batch", field=rf"Produce {PART}\..*",
         reason="there are no transactions: INVALID_TXN_STATE"),
    dict(case="^Produce: the same partition twice", field=r"(Produce|Fetch) .*",
         reason="Kafka drops all but the last batch without a word; mqd appends and answers each"),
    # --- answers that mirror the request
    dict(case=": (no partitions|the same (topic|partition) twice|good and bad( partitions)? together|some good, some bad)$",
         field=r"(Produce|ListOffsets|DeleteRecords|Fetch) (responses|topics)(\[[^]]*\])?"
               r"(\.partition(s|Responses)\[[^]]*\])?(\.partitions#order|#order)?",
         reason="the answer has what was asked in the order in which it was asked; Kafka sorts by what went wrong, "
                "and joins and leaves out"),
    dict(field=r"(DescribeGroups groups|ListGroups groups|DeleteGroups results|OffsetFetch (groups\[.*\]\.)?topics|"
               r"Metadata topics|ElectLeaders replicaElectionResults|ListConfigResources configResources|DescribeConfigs results\[.*\]\.configs)#order",
         reason="in the order of the request, or of the names; Kafka's is that of its hash tables"),
    # --- Fetch
    dict(field=r"Fetch .*\.records\[\d+\]", test=lambda kafka, ours: isinstance(kafka, dict) and list(kafka) == ["cutShort"],
         reason="whole batches only; Kafka cuts the last one where the byte limit is, and clients throw it away"),
    dict(case="^Fetch: isolation level", field=r"Fetch (errorCode|.*abortedTransactions)",
         reason="each partition has the code; from 7 on Kafka has it twice. Nothing was aborted: null"),
    dict(case="^Fetch: the same partition twice", field=r"Fetch responses.*",
         reason="both are answered; the last with Kafka"),
    # --- configurations
    dict(field=r"DescribeConfigs results\[1\]\.configs\[[^]]*\]", test=only_kafka,
         reason="a broker has the keys that mean something to mqd"),
    dict(field=r"(DescribeConfigs results|CreateTopics topics)\[.*\]\.configs"
               r"\[(log\.flush\.interval|flush)\.messages\]\.(value|synonyms.*)",
         reason="every append is synced unless somebody asks for less"),
    dict(field=r"DescribeConfigs results\[1\]\.configs\[(listeners|advertised\.listeners|process\.roles|"
               r"listener\.security\.protocol\.map|controller\..*)\]\..*",
         reason="mqd is given less: it has one listener, and its controller needs none"),
    dict(field=r"DescribeConfigs results\[1\]\.configs\[queued\.max\.request\.bytes\]\..*",
         reason="the memory of requests is bounded by default"),
    dict(field=r"DescribeConfigs results\[1\]\.configs\[(allow\.anonymous\.network|cluster\.id|disk\.min\.free|metrics\.listen)\]",
         test=only_ours, reason="keys of mqd's own"),
    dict(case="^CreateTopics: two bad configs", field=r"CreateTopics .*\.errorMessage", test=ours_says_more,
         reason="which one of two is named is chance with Kafka"),
    dict(field=r"DescribeConfigs results\[.*\]\.configs\[.*\]\.documentation", test=ours_says_more,
         reason="the texts are ours"),
    dict(case="^AlterConfigs: a resource twice", field=r"AlterConfigs",
         reason="Kafka never answers; mqd does, INVALID_REQUEST"),
    # --- groups
    dict(case="^JoinGroup: a protocol twice", field=r"JoinGroup", reason="Kafka never answers; mqd does"),
    # --- the protocol
    dict(case="^Metadata: a string that is no UTF-8", field=r"Metadata topics\[.*\]",
         reason="a name is told as it came; Kafka has replaced what is no UTF-8"),
    dict(case="^ApiVersions: a client id of length -2", field=r"raw.*",
         reason="a length below -1 is no null: the connection is closed"),
]
