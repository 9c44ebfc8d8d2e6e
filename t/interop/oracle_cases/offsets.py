"""OffsetCommit, OffsetFetch, OffsetDelete."""
from oracle_words import NULL_UUID, OTHER_UUID, Id, Saved, ask, by_topic, case
from oracle_cases.groups import ME, join, leave, stable, static

TWO = {"t": 2, "u": 1}


def part(offset=5, partition=0, **more):
    return {"partitionIndex": partition, "committedOffset": offset, **more}


def commit(*parts, topic="$t", v=None, **more):
    return ask("OffsetCommit", {"groupId": "$g", "topics": [by_topic(topic, partitions=list(parts))], **more}, v=v)


def committed(topics="all", v=8, group="$g", **more):
    """What the group has; an api of a case asks in its own version."""
    if topics == "all":
        topics = None
    else:
        topics = [by_topic(name, partitionIndexes=list(parts)) for name, parts in topics]
    return ask("OffsetFetch", {"groupId": group, "topics": None if topics is None else [
        {"name": t["name"], "partitionIndexes": t["partitionIndexes"]} for t in topics],
        "groups": [{"groupId": group, "topics": topics}], **more}, v=v)


# --- OffsetCommit
def commits(name, *steps, topics=None, **more):
    case(name, "OffsetCommit", *steps, committed(), topics=topics or TWO, **more)


commits("simple", commit(part()), commit(part(3)))
commits("metadata and leader epoch", commit(part(5, committedLeaderEpoch=3, committedMetadata="some text")))
commits("null metadata", commit(part(5, committedMetadata=None)))
commits("metadata of 4096 bytes", commit(part(5, committedMetadata="x" * 4096)))
commits("metadata of 4097 bytes", commit(part(5, committedMetadata="x" * 4097)), commit(part(5, committedMetadata="x" * 5000),
                                                                                      part(6, 1)))
commits("metadata of 4096 letters, more bytes", commit(part(5, committedMetadata="ü" * 4096)))
commits("offset -1", commit(part(-1)))
commits("offset -2", commit(part(-2)))
commits("an offset behind the end", commit(part(10**12)))
commits("leader epoch -2", commit(part(5, committedLeaderEpoch=-2)))
commits("unknown topic", commit(part(), topic="$none"))
commits("unknown partition", commit(part(5, 9)))
commits("partition -1", commit(part(5, -1)))
commits("a name that may not be", commit(part(), topic="a bad/name"))
commits("an empty name", commit(part(), topic=""), versions=(2, 9))
commits("the null id", ask("OffsetCommit", {"groupId": "$g", "topics": [{"topicId": NULL_UUID, "partitions": [part()]}]}),
        versions=[10])
commits("no partitions", commit())
commits("no topics", ask("OffsetCommit", {"groupId": "$g", "topics": []}))
commits("a partition twice", commit(part(5), part(6)))
commits("a topic twice", ask("OffsetCommit", {"groupId": "$g", "topics": [by_topic("$t", partitions=[part(5)]),
                                                                        by_topic("$t", partitions=[part(7, 1)])]}))
commits("good and bad together", ask("OffsetCommit", {"groupId": "$g", "topics": [
    by_topic("$none", partitions=[part()]), by_topic("$t", partitions=[part(5), part(6, 7)]), by_topic("$u", partitions=[part(8)])]}))
commits("empty group id", commit(part(), groupId=""), ask("DeleteGroups", {"groupsNames": [""]}), alone=True)
for n in (-1, 0, 1, 5000):
    commits(f"retention {n}", commit(part(), retentionTimeMs=n), versions=(2, 4))
# simple commits know no member and no generation
commits("an unknown group with a generation", commit(part(), generationIdOrMemberEpoch=1, memberId="nobody"))
commits("an unknown group with generation 0", commit(part(), generationIdOrMemberEpoch=0))
commits("an unknown group with generation -2", commit(part(), generationIdOrMemberEpoch=-2))
commits("an unknown group with a member, generation -1", commit(part(), memberId="nobody"))
commits("an unknown group with an instance", commit(part(), groupInstanceId="i1"), versions=(7, 10))


def of_member(name, *steps, **more):
    commits(name, *stable(), *steps, **more)


of_member("of a member", commit(part(), generationIdOrMemberEpoch=1, memberId=ME))
of_member("of a member, generation behind", commit(part(), generationIdOrMemberEpoch=0, memberId=ME))
of_member("of a member, generation ahead", commit(part(), generationIdOrMemberEpoch=2, memberId=ME))
of_member("of a member, generation -1", commit(part(), generationIdOrMemberEpoch=-1, memberId=ME))
of_member("of one who is no member", commit(part(), generationIdOrMemberEpoch=1, memberId="nobody"))
of_member("of nobody, while there are members", commit(part()))
of_member("of nobody, of the right generation", commit(part(), generationIdOrMemberEpoch=1))
of_member("while a member is awaited", join("b", v=5, save="b"), join("b", Saved("b"), v=5, api=lambda *a, **k: ask(*a, **{
    **k, "conn": "x", "wait_s": 0.2})), commit(part(), generationIdOrMemberEpoch=1, memberId=ME))
commits("before the assignment", *stable()[:2], commit(part(), generationIdOrMemberEpoch=1, memberId=ME))
commits("after the last has left", *stable(), leave((ME,), v=3), commit(part(), generationIdOrMemberEpoch=1, memberId=ME), commit(part()))
commits("of a static member", *static(), commit(part(), generationIdOrMemberEpoch=1, memberId=ME, groupInstanceId="i1"), versions=(7, 10))
commits("of a static member, a foreign id", *static(), commit(part(), generationIdOrMemberEpoch=1, memberId="nobody",
                                                             groupInstanceId="i1"), versions=(7, 10))
commits("of an unknown instance", *static(), commit(part(), generationIdOrMemberEpoch=1, memberId=ME, groupInstanceId="i2"),
        versions=(7, 10))
commits("an internal topic", commit(part(), topic="__consumer_offsets"), versions=(2, 9))

# --- OffsetFetch
FILL = (commit(part(5, committedMetadata="m", committedLeaderEpoch=2), part(6, 1), v=8), commit(part(7), topic="$u", v=8))


def reads(name, *steps, before=FILL, **more):
    case(name, "OffsetFetch", *before, *steps, topics=TWO, **more)


reads("some", committed([("$t", [0, 1]), ("$u", [0])], v=None))
reads("all", committed(v=None), versions=(2, 10))
reads("all, in version 1", committed(v=None), versions=[1])
reads("of a partition without", committed([("$t", [0, 5])], v=None))
reads("of an unknown topic", committed([("$none", [0])], v=None))
reads("of a name that may not be", committed([("a bad/name", [0])], v=None))
reads("of partition -1", committed([("$t", [-1])], v=None))
reads("no partitions", committed([("$t", [])], v=None))
reads("no topics", committed([], v=None))
reads("a partition twice", committed([("$t", [0, 0])], v=None))
reads("a topic twice", committed([("$t", [0]), ("$t", [1])], v=None))
reads("an unknown group", committed([("$t", [0])], v=None, group="$none"))
reads("an unknown group, all", committed(v=None, group="$none"), versions=(2, 10))
reads("empty group id", committed([("$t", [0])], v=None, group=""))
reads("require stable", committed([("$t", [0])], v=None, requireStable=True), versions=(7, 10))
reads("several groups", ask("OffsetFetch", {"groups": [
    {"groupId": g, "topics": [by_topic("$t", partitionIndexes=[0])]} for g in ("$g", "$none", "$g")]}), versions=(8, 10))
reads("no groups", ask("OffsetFetch", {"groups": []}), versions=(8, 10))
reads("the null id", ask("OffsetFetch", {"groups": [{"groupId": "$g", "topics": [{"topicId": NULL_UUID, "partitionIndexes": [0]}]}]}),
      versions=[10])
reads("with a member of a classic group", *stable(), ask("OffsetFetch", {"groups": [
    {"groupId": "$g", "memberId": ME, "memberEpoch": 1, "topics": None}]}), versions=(9, 10))
reads("with a member and an epoch that are wrong", *stable(), ask("OffsetFetch", {"groups": [
    {"groupId": "$g", "memberId": "nobody", "memberEpoch": 7, "topics": None}]}), versions=(9, 10))
reads("after the topic was deleted", ask("DeleteTopics", {"topicNames": ["$t"], "timeoutMs": 5000}, v=5),
      committed([("$u", [0])], v=None))


# --- OffsetDelete
def deletes(name, *wanted, before=FILL, group="$g", **more):
    case(name, "OffsetDelete", *before, ask("OffsetDelete", {"groupId": group, "topics": [
        {"name": n, "partitions": [{"partitionIndex": p} for p in parts]} for n, parts in wanted]}), committed(), topics=TWO, **more)


deletes("one", ("$t", [0]))
deletes("all", ("$t", [0, 1]), ("$u", [0]))
deletes("one that is not there", ("$t", [5]))
deletes("an unknown topic", ("$none", [0]))
deletes("a name that may not be", ("a bad/name", [0]))
deletes("partition -1", ("$t", [-1]))
deletes("no partitions", ("$t", []))
deletes("no topics")
deletes("a partition twice", ("$t", [0, 0]))
deletes("a topic twice", ("$t", [0]), ("$t", [1]))
deletes("an unknown group", ("$t", [0]), group="$none")
deletes("empty group id", ("$t", [0]), group="")
deletes("a group with members that do not say what they read", ("$t", [0]), before=(*FILL, *stable()))
# A consumer's subscription: version 0, one topic, no user data.
SUBSCRIBED = lambda: (("range", b"\0\0\0\0\0\1\0\6no-one\xff\xff\xff\xff"),)
deletes("a group whose members read another topic", ("$t", [0]), before=(*FILL, *stable(protocols=SUBSCRIBED())))
deletes("a group of another protocol type", ("$t", [0]), before=(*FILL, *stable(protocolType="connect")))
