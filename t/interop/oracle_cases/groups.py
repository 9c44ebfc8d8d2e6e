"""Classic consumer groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups,
DeleteGroups."""
from oracle_words import Saved, ask, case, hang_up, pending, send, take, until

ME = Saved("me")


def join(who="a", member="", v=None, save="me", api=ask, protocols=(("range", b"meta"),), group="$g", conn=None, wait_s=15,
         **more):
    """who is client id and connection; the answer's member id is kept under SAVE."""
    body = {"groupId": group, "sessionTimeoutMs": 10000, "rebalanceTimeoutMs": 10000, "memberId": member,
            "protocolType": "consumer", "protocols": [{"name": n, "metadata": m} for n, m in protocols], **more}
    return api("JoinGroup", body, conn=conn or who, v=v, client_id=who, wait_s=wait_s, **({"save": {save: "memberId"}} if save and api is ask else {}))


def sync(who="a", member=ME, generation=1, assignments=(), v=None, api=ask, group="$g", **more):
    body = {"groupId": group, "generationId": generation, "memberId": member, "protocolType": "consumer", "protocolName": "range",
            "assignments": [{"memberId": m, "assignment": a} for m, a in assignments], **more}
    return api("SyncGroup", body, conn=who, v=v, client_id=who)


def beat(who="a", member=ME, generation=1, v=None, group="$g", **more):
    return ask("Heartbeat", {"groupId": group, "generationId": generation, "memberId": member, **more}, conn=who, v=v, client_id=who)


def leave(*members, who="a", v=None, group="$g"):
    """members: (member id, instance id); in old versions the first."""
    return ask("LeaveGroup", {"groupId": group, "memberId": members[0][0] if members else "", "members": [
        {"memberId": m[0], "groupInstanceId": m[1] if len(m) > 1 else None, **({"reason": m[2]} if len(m) > 2 else {})}
        for m in members]}, conn=who, v=v, client_id=who)


def look(v=None, group="$g", **more):
    return ask("DescribeGroups", {"groups": [group], **more}, conn="look", v=v)


def stable(who="a", save="me", v=5, **more):
    """Steps: one member that has joined and synced, generation 1."""
    member = Saved(save)
    return (join(who, v=v, save=save, **more), join(who, member, v=v, save=save, **more),
            sync(who, member, assignments=[(member, b"mine")], v=3))


def static(who="a", save="me", v=5, instance="i1", **more):
    """The same, a static member: no second step."""
    return (join(who, v=v, save=save, groupInstanceId=instance, **more),
            sync(who, Saved(save), assignments=[(Saved(save), b"mine")], v=3, groupInstanceId=instance))


# --- FindCoordinator
for kind in (0, 1, 2, 3, -1):
    case(f"of type {kind}", "FindCoordinator", ask("FindCoordinator", {"key": "$g", "keyType": kind, "coordinatorKeys": ["$g"]}),
         versions=None if kind == 0 else (1, 6)) if kind != 1 else None
case("empty key", "FindCoordinator", ask("FindCoordinator", {"key": "", "keyType": 0, "coordinatorKeys": [""]}))
case("several keys", "FindCoordinator", ask("FindCoordinator", {"keyType": 0, "coordinatorKeys": ["$g", "$h", "$g"]}),
     versions=(4, 6))
case("no keys", "FindCoordinator", ask("FindCoordinator", {"keyType": 0, "coordinatorKeys": []}), versions=(4, 6))
case("a share group's key of a bad form", "FindCoordinator", ask("FindCoordinator", {"keyType": 2, "coordinatorKeys": ["$g:x:y"]}),
     versions=[6])

# --- JoinGroup
case("alone", "JoinGroup", join(), join(member=ME), sync(assignments=[(ME, b"all")]), beat(), look())
case("alone, joined again", "JoinGroup", *stable(), join(member=ME), beat(), beat(generation=2), look())
case("an unknown member id", "JoinGroup", join(member="nobody"), look())
case("an unknown member id in a group that is there", "JoinGroup", *stable(), join("b", "nobody", save="b"))
case("empty group id", "JoinGroup", join(group=""))
for n in (499, 500, 60000, 60001, 0, -1):
    case(f"session timeout {n}", "JoinGroup", join(sessionTimeoutMs=n))
case("rebalance timeout -1", "JoinGroup", join(rebalanceTimeoutMs=-1), join(member=ME, rebalanceTimeoutMs=-1))
case("no protocols", "JoinGroup", join(protocols=()), join(member=ME, protocols=()))
case("empty protocol type", "JoinGroup", join(protocolType=""), join(member=ME, protocolType=""))
case("no protocols, no type", "JoinGroup", join(protocols=(), protocolType=""), join(member=ME, protocols=(), protocolType=""))
case("any protocol type will do", "JoinGroup", join(protocolType="connect"), join(member=ME, protocolType="connect"), look())
# Kafka answers this never.
case("a protocol twice", "JoinGroup", join(protocols=(("range", b"1"), ("range", b"2"))),
     join(member=ME, protocols=(("range", b"1"), ("range", b"2")), wait_s=1), versions=[4, 9])
case("empty metadata", "JoinGroup", join(protocols=(("range", b""),)), join(member=ME, protocols=(("range", b""),)))
case("another protocol type", "JoinGroup", *stable(), join("b", save="b", protocolType="connect"))
case("no protocol in common", "JoinGroup", *stable(), join("b", save="b", protocols=(("sticky", b"s"),)))
case("the same protocol types, empty list", "JoinGroup", *stable(), join("b", save="b", protocols=()))
case("a reason", "JoinGroup", join(reason="why not"), join(member=ME, reason="why not"), versions=(8, 9))
case("a reason of 300 letters", "JoinGroup", join(reason="x" * 300), join(member=ME, reason="x" * 300), versions=(8, 9))
case("without a client id", "JoinGroup", ask("JoinGroup", {"groupId": "$g", "sessionTimeoutMs": 10000, "protocolType": "consumer",
                                                          "protocols": [{"name": "range", "metadata": b""}]}, client_id=None))
case("member id required, then never used", "JoinGroup", join(), look(), versions=(4, 9))
case("two ask for member ids, one joins", "JoinGroup", join(), join("b", save="b"), join(member=ME), look(), versions=(4, 9))
case("a member id of another client is as good", "JoinGroup", join(), join("b", ME, save="b"), look(), versions=(4, 9))

B = Saved("b")


def second(*then, first=stable, topics=None, versions=None, name=None, b=None, **more):
    """A second member comes; what happens then."""
    case(name, "JoinGroup", *first(), *((join("b", save="b", v=5, **more),) if b is None else b),
         join("b", B, api=send, **more), pending("b"), *then, versions=versions, topics=topics)


BOTH = (beat(), join(member=ME, api=send), take("b"), take("a"))
second(*BOTH, sync("b", B, 2, api=send), pending("b"), sync(generation=2, assignments=[(ME, b"one"), (B, b"two")]), take("b"),
       beat(generation=2), beat("b", B, 2), look(), name="a second member")
second(beat(generation=0), beat(generation=2), sync(generation=1), leave((ME,)), take("b"), look(),
       name="a second member, and the first leaves")
second(hang_up("b"), beat(), join(member=ME), look(), name="a second member whose connection breaks")
second(*BOTH, sync("b", B, 2, assignments=[(ME, b"no"), (B, b"no")], api=send), pending("b"),
       sync(generation=2, assignments=[(ME, b"one"), (B, b"two")]), take("b"), name="a follower's assignments are not taken")
second(*BOTH, sync(generation=2, assignments=[(ME, b"one")]), sync("b", B, 2), look(), name="an assignment leaves one out")
second(*BOTH, sync(generation=2, assignments=[(ME, b"one"), (B, b"two"), ("nobody", b"three")]), sync("b", B, 2), look(),
       name="an assignment to one who is not there")
second(*BOTH, sync("b", B, 2, api=send), join(member=ME, api=send), take("b"), pending("a"), join("b", B, api=send), take("b"),
       take("a"), name="the leader joins again before it has synced")
second(*BOTH, sync("b", B, 2, api=send), leave((ME,)), take("b"), join("b", B), look(), name="the leader leaves before it has synced")
second(join(member=ME, api=send, protocols=(("sticky", b"s"), ("range", b"r"))), take("a"), take("b"), look(),
       name="the protocol that all have is chosen")
second(join(member=ME, api=send, protocols=(("sticky", b"s1"), ("range", b"r1"))), take("a"), take("b"), look(),
       first=lambda: stable(protocols=(("range", b"r"), ("sticky", b"s"))), protocols=(("sticky", b"s2"), ("range", b"r2")),
       name="the protocol that most have first is chosen")
second(join(member=ME, api=send, protocols=(("range", b"r"), ("other", b"o"))), take("a"), take("b"),
       first=lambda: stable(protocols=(("range", b"r"), ("sticky", b"s"))), protocols=(("sticky", b"s2"), ("range", b"r2")),
       name="a vote that is even")
second(until("DescribeGroups", {"groups": ["$g"]}, lambda a: a["groups"][0]["groupState"] == "CompletingRebalance", v=5, conn="look"),
       take("b"), beat(), join(member=ME), look(), first=lambda: stable(rebalanceTimeoutMs=1000),
       name="one who does not join again in time is out")
case("a follower joins again as it was: no rebalance", "JoinGroup", *stable(), join("b", v=5, save="b"),
     join("b", B, api=send, v=5), join(member=ME, v=5, api=send), take("b"), take("a"),
     sync(generation=2, assignments=[(ME, b"one"), (B, b"two")], v=3), sync("b", B, 2, v=3), join("b", B), beat(generation=2), look())
case("a follower joins again with other metadata: a rebalance", "JoinGroup", *stable(), join("b", v=5, save="b"),
     join("b", B, api=send, v=5), join(member=ME, v=5, api=send), take("b"), take("a"),
     sync(generation=2, assignments=[(ME, b"one"), (B, b"two")], v=3), sync("b", B, 2, v=3),
     join("b", B, api=send, protocols=(("range", b"else"),)), pending("b"), beat(generation=2), join(member=ME, api=send), take("b"),
     take("a"))

# static members
I1 = {"groupInstanceId": "i1"}
case("static: no second step", "JoinGroup", join(**I1), sync(assignments=[(ME, b"all")], **I1), beat(**I1), look(), versions=(5, 9))
case("static: empty instance id", "JoinGroup", join(groupInstanceId=""), versions=(5, 9))
case("static: an instance id that may not be", "JoinGroup", join(groupInstanceId="a/b"), join(groupInstanceId="."),
     join(groupInstanceId="n" * 250), versions=(5, 9))
case("static: a leader that came back, the same", "JoinGroup", *static(), join("a2", save="me2", **I1), beat(**I1),
     beat("a2", Saved("me2"), 1, **I1), beat("a2", Saved("me2"), 2, **I1), sync("a2", Saved("me2"), 1, **I1),
     join(member=ME, **I1), look(), versions=(5, 9))
case("static: a leader that came back, with other metadata", "JoinGroup", *static(),
     join("a2", save="me2", protocols=(("range", b"else"),), **I1), beat(**I1), beat("a2", Saved("me2"), 2, **I1), look(), versions=(5, 9))
case("static: came back with its own id", "JoinGroup", *static(), join(member=ME, **I1), beat(generation=2, **I1), versions=(5, 9))
case("static: an unknown instance with a member id", "JoinGroup", *static(), join(member=ME, groupInstanceId="i2"), versions=(5, 9))
case("static: another's member id", "JoinGroup", *static(), join("b", "nobody", save="b", **I1), versions=(5, 9))
case("static: without its instance id", "JoinGroup", *static(), join(member=ME), beat(generation=1), beat(generation=2), versions=(5, 9))
case("static: a follower came back", "JoinGroup", *static(), join("b", save="b", v=5, groupInstanceId="i2", api=send), pending("b"), beat(**I1),
     join(member=ME, v=5, **I1), take("b"), until("DescribeGroups", {"groups": ["$g"]}, lambda a: len(a["groups"][0]["members"]) == 2,
                                                 conn="look", v=5),
     join("b2", save="b2", groupInstanceId="i2", api=send), pending("b2"), beat(generation=2, **I1), versions=(5, 9))
case("static: leave by instance", "JoinGroup", *static(), leave(("", "i1"), v=4), look(), versions=[9])
case("static: an instance twice at once", "JoinGroup", *static(), join("b", v=5, save="b"), join("b", B, api=send, v=5), pending("b"),
     join("a2", save="me2", api=send, **I1), pending("a2"), leave((B,), v=4), take("a2"), take("b"), versions=(5, 9))
for name, step in (("heartbeat", lambda: beat(member="nobody", **I1)), ("sync", lambda: sync(member="nobody", **I1)),
                   ("heartbeat of an unknown instance", lambda: beat(groupInstanceId="i9")),
                   ("sync of an unknown instance", lambda: sync(groupInstanceId="i9"))):
    case(f"static: {name} with a foreign id", "Heartbeat" if "beat" in name else "SyncGroup", *static(), step(), versions=(3, 5))

# --- SyncGroup
case("alone", "SyncGroup", *stable()[:2], sync(assignments=[(ME, b"all")]), sync(), look())
for name, more in (("unknown member", {"member": "nobody"}), ("empty member", {"member": ""}), ("generation ahead", {"generation": 2}),
                   ("generation 0", {"generation": 0}), ("generation -1", {"generation": -1}), ("unknown group", {"group": "$none"}),
                   ("empty group id", {"group": ""})):
    case(name, "SyncGroup", *stable(), sync(**more))
    case(f"{name}, before the assignment", "SyncGroup", *stable()[:2], sync(**more))
for name, more in (("another protocol type", {"protocolType": "connect"}), ("another protocol", {"protocolName": "sticky"}),
                   ("null protocol type", {"protocolType": None}), ("null protocol", {"protocolName": None}),
                   ("both null", {"protocolType": None, "protocolName": None})):
    case(name, "SyncGroup", *stable(), sync(**more), versions=[5])
case("no assignments", "SyncGroup", *stable()[:2], sync(), look())
case("a member twice", "SyncGroup", *stable()[:2], sync(assignments=[(ME, b"1"), (ME, b"2")]))
case("a member id that has not joined", "SyncGroup", join(v=5), sync())

# --- Heartbeat
case("alone", "Heartbeat", *stable(), beat(), beat())
for name, more in (("unknown member", {"member": "nobody"}), ("empty member", {"member": ""}), ("generation ahead", {"generation": 2}),
                   ("generation 0", {"generation": 0}), ("generation -1", {"generation": -1}), ("unknown group", {"group": "$none"}),
                   ("empty group id", {"group": ""})):
    case(name, "Heartbeat", *stable(), beat(**more))
case("before the assignment", "Heartbeat", *stable()[:2], beat(), beat(generation=0))
case("a member id that has not joined", "Heartbeat", join(v=5), beat())
case("an expired member", "Heartbeat", *stable(sessionTimeoutMs=500), until(
    "DescribeGroups", {"groups": ["$g"]}, lambda a: a["groups"][0]["groupState"] == "Empty", v=5, conn="look"), beat())
case("an empty group", "Heartbeat", *stable(), leave((ME,), v=3), beat())

# --- LeaveGroup
case("alone", "LeaveGroup", *stable(), leave((ME,)), leave((ME,)), look())
case("unknown member", "LeaveGroup", *stable(), leave(("nobody",)), look())
case("empty member", "LeaveGroup", *stable(), leave(("",)))
case("unknown group", "LeaveGroup", leave(("nobody",), group="$none"))
case("empty group id", "LeaveGroup", leave(("nobody",), group=""))
case("a member id that has not joined", "LeaveGroup", join(v=5), leave((ME,)), look())
case("no members", "LeaveGroup", *stable(), leave(), versions=(3, 5))
case("a member twice", "LeaveGroup", *stable(), leave((ME,), (ME,)), versions=(3, 5))
case("several, one unknown", "LeaveGroup", *static(), leave(("nobody",), (ME, "i1"), ("", "i7")), look(), versions=(3, 5))
case("by instance", "LeaveGroup", *static(), leave(("", "i1")), look(), versions=(3, 5))
case("by an unknown instance", "LeaveGroup", *static(), leave(("", "i2")), versions=(3, 5))
case("by instance with a foreign id", "LeaveGroup", *static(), leave(("nobody", "i1")), versions=(3, 5))
case("a static member by its id alone", "LeaveGroup", *static(), leave((ME,)), look(), versions=(3, 5))
case("a reason", "LeaveGroup", *stable(), leave((ME, None, "the consumer is being closed")), versions=[5])

# --- DescribeGroups
case("states", "DescribeGroups", look(), join(v=5), look(), join(member=ME, v=5), look(), sync(assignments=[(ME, b"x")], v=3), look(),
     leave((ME,), v=3), look())
case("several, one twice", "DescribeGroups", *stable(), ask("DescribeGroups", {"groups": ["$g", "$none", "$g"]}))
case("no groups", "DescribeGroups", ask("DescribeGroups", {"groups": []}))
case("empty group id", "DescribeGroups", ask("DescribeGroups", {"groups": [""]}))
case("authorized operations", "DescribeGroups", *stable(), look(includeAuthorizedOperations=True),
     ask("DescribeGroups", {"groups": ["$none"], "includeAuthorizedOperations": True}), versions=(3, 6))
case("a static member", "DescribeGroups", *static(), look())
case("a group of offsets only", "DescribeGroups", ask("OffsetCommit", {"groupId": "$g", "topics": [
    {"name": "$t", "partitions": [{"partitionIndex": 0, "committedOffset": 1}]}]}, v=8), look(), topics={"t": 1})
case("another protocol type", "DescribeGroups", *stable(protocolType="connect"), look())

# --- ListGroups
case("a stable and an empty one", "ListGroups", *stable(), ask("OffsetCommit", {"groupId": "$h", "topics": [
    {"name": "$t", "partitions": [{"partitionIndex": 0, "committedOffset": 1}]}]}, v=8), ask("ListGroups"), topics={"t": 1})
for states in (["Stable"], ["stable"], ["Empty", "Dead"], ["PreparingRebalance"], ["CompletingRebalance"], ["NoSuchState"], [""],
               ["Assigning"]):
    case(f"states {states}", "ListGroups", *stable(), ask("ListGroups", {"statesFilter": states}), versions=(4, 5))
for types in (["classic"], ["Classic"], ["consumer"], ["share"], ["nosuchtype"], [""], ["consumer", "classic"]):
    case(f"types {types}", "ListGroups", *stable(), ask("ListGroups", {"typesFilter": types}), versions=[5])
case("state and type", "ListGroups", *stable(), ask("ListGroups", {"statesFilter": ["Stable"], "typesFilter": ["classic"]}), versions=[5])
case("a group without members or offsets", "ListGroups", *stable(), leave((ME,), v=3), ask("ListGroups"))
case("a group whose member has not joined", "ListGroups", join(v=5), ask("ListGroups"))

# --- DeleteGroups
COMMIT = ask("OffsetCommit", {"groupId": "$g", "topics": [{"name": "$t", "partitions": [{"partitionIndex": 0, "committedOffset": 1}]}]}, v=8)
case("an empty one", "DeleteGroups", COMMIT, ask("DeleteGroups", {"groupsNames": ["$g"]}), look(),
     ask("OffsetFetch", {"groups": [{"groupId": "$g", "topics": None}]}, v=8), ask("DeleteGroups", {"groupsNames": ["$g"]}), topics={"t": 1})
case("one with members", "DeleteGroups", *stable(), ask("DeleteGroups", {"groupsNames": ["$g"]}), look())
case("one in a rebalance", "DeleteGroups", *stable()[:2], ask("DeleteGroups", {"groupsNames": ["$g"]}))
case("one whose member has not joined", "DeleteGroups", join(v=5), ask("DeleteGroups", {"groupsNames": ["$g"]}))
case("one whose members have left", "DeleteGroups", *stable(), leave((ME,), v=3), ask("DeleteGroups", {"groupsNames": ["$g"]}), look())
case("unknown", "DeleteGroups", ask("DeleteGroups", {"groupsNames": ["$none"]}))
case("empty group id", "DeleteGroups", ask("DeleteGroups", {"groupsNames": [""]}))
case("none", "DeleteGroups", ask("DeleteGroups", {"groupsNames": []}))
case("several, one twice", "DeleteGroups", COMMIT, ask("DeleteGroups", {"groupsNames": ["$g", "$none", "$g"]}), topics={"t": 1})
