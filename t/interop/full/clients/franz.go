// franz-go: see clients.bash for what it is asked.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bytes are base64 in JSON, null ones null: as encoding/json has them.
type record struct {
	Offset  int64       `json:"o"`
	Key     []byte      `json:"k"`
	Value   []byte      `json:"v"`
	Headers [][2]header `json:"h"`
	Time    *int64      `json:"t"`
}

// The name of a header or its value.
type header struct {
	name  string
	value []byte
	named bool
}

func (h header) MarshalJSON() ([]byte, error) {
	if h.named {
		return json.Marshal(h.name)
	}
	return json.Marshal(h.value)
}

var ctx = context.Background()

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}

func client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(os.Getenv("BROKER")))...)
	must(err)
	return cl
}

func admin() *kadm.Client {
	return kadm.NewClient(client())
}

// One line of stdin. Headers are pairs of a name and base64.
func parse(line []byte) *kgo.Record {
	var r struct {
		Key     []byte      `json:"k"`
		Value   []byte      `json:"v"`
		Headers [][]*string `json:"h"`
		Time    *int64      `json:"t"`
	}
	must(json.Unmarshal(line, &r))
	out := &kgo.Record{Key: r.Key, Value: r.Value}
	for _, pair := range r.Headers {
		var value []byte
		if pair[1] != nil {
			text, err := json.Marshal(pair[1])
			must(err)
			must(json.Unmarshal(text, &value))
		}
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: *pair[0], Value: value})
	}
	if r.Time != nil {
		out.Timestamp = time.UnixMilli(*r.Time)
	}
	return out
}

func produce(topic, partition, codec string) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	cl := client(kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		r := parse(lines.Bytes())
		r.Topic, r.Partition = topic, int32(number(partition))
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) { must(err) })
	}
	must(lines.Err())
	must(cl.Flush(ctx))
}

func print(r *kgo.Record) {
	ms := r.Timestamp.UnixMilli()
	line := record{Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: [][2]header{}, Time: &ms}
	for _, h := range r.Headers {
		line.Headers = append(line.Headers, [2]header{{name: h.Key, named: true}, {value: h.Value}})
	}
	text, err := json.Marshal(line)
	must(err)
	fmt.Println(string(text))
}

func consume(topic, partition, count, from string) {
	start := kgo.NewOffset()
	if ms, ok := strings.CutPrefix(from, "@"); ok {
		start = start.AfterMilli(number(ms))
	} else {
		start = start.At(number(from))
	}
	cl := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {int32(number(partition)): start}}))
	for left := number(count); left > 0; {
		fetches := cl.PollFetches(ctx)
		must(fetches.Err())
		for _, r := range fetches.Records() {
			if left > 0 {
				print(r)
			}
			left--
		}
	}
	cl.Close()
}

func member(topic, group string) {
	var lock sync.Mutex
	own := map[int32]bool{}
	changed := func(now bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, what map[string][]int32) {
			lock.Lock()
			defer lock.Unlock()
			for _, p := range what[topic] {
				if now {
					own[p] = true
				} else {
					delete(own, p)
				}
			}
			line := "assign"
			for p := range own {
				line += fmt.Sprint(" ", p)
			}
			fmt.Println(line)
		}
	}
	cl := client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.SessionTimeout(3*time.Second),
		kgo.HeartbeatInterval(300*time.Millisecond), kgo.AutoCommitInterval(100*time.Millisecond),
		kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(changed(false)), kgo.OnPartitionsLost(changed(false)))
	ending, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	for ending.Err() == nil {
		for _, r := range cl.PollFetches(ending).Records() {
			fmt.Println("got", r.Partition, r.Offset)
		}
	}
	must(cl.CommitUncommittedOffsets(ctx))
	cl.Close()
}

func configs(topic string) {
	found, err := admin().DescribeTopicConfigs(ctx, topic)
	must(err)
	for _, c := range found[0].Configs {
		fmt.Printf("%s=%s\n", c.Key, c.MaybeValue())
	}
}

func pair(config string) (string, *string) {
	key, value, _ := strings.Cut(config, "=")
	return key, &value
}

func create(topic, partitions string, configs ...string) {
	of := map[string]*string{}
	for _, c := range configs {
		key, value := pair(c)
		of[key] = value
	}
	_, err := admin().CreateTopic(ctx, int32(number(partitions)), 1, of, topic)
	must(err)
}

func alter(topic, config string) {
	key, value := pair(config)
	answer, err := admin().AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: value}}, topic)
	must(err)
	must(answer[0].Err)
}

func groups() {
	found, err := admin().ListGroups(ctx)
	must(err)
	for _, g := range found.Groups() {
		fmt.Println(g)
	}
}

func commit(group, topic string, offsets ...string) {
	all := kadm.Offsets{}
	for p, o := range offsets {
		all.AddOffset(topic, int32(p), number(o), -1)
	}
	must(admin().CommitAllOffsets(ctx, group, all))
}

func committed(group, topic string) {
	found, err := admin().FetchOffsets(ctx, group)
	must(err)
	all := found.Sorted()
	words := []any{}
	for _, o := range all {
		words = append(words, o.At)
	}
	fmt.Println(words...)
}

func ends(topic string) {
	low, err := admin().ListStartOffsets(ctx, topic)
	must(err)
	high, err := admin().ListEndOffsets(ctx, topic)
	must(err)
	all := low.Offsets().Sorted()
	sort.Slice(all, func(a, b int) bool { return all[a].Partition < all[b].Partition })
	words := []any{}
	for _, o := range all {
		end, _ := high.Lookup(topic, o.Partition)
		words = append(words, o.At, end.Offset)
	}
	fmt.Println(words...)
}

func cut(topic, partition, offset string) {
	what := kadm.Offsets{}
	what.AddOffset(topic, int32(number(partition)), number(offset), -1)
	answer, err := admin().DeleteRecords(ctx, what)
	must(err)
	must(answer.Error())
}

func topics() {
	found, err := admin().ListTopics(ctx)
	must(err)
	for _, name := range found.Names() {
		fmt.Println(name)
	}
}

func members(group string) {
	found, err := admin().DescribeGroups(ctx, group)
	must(err)
	fmt.Println(len(found[group].Members))
}

func main() {
	args := os.Args[2:]
	switch os.Args[1] {
	case "produce":
		produce(args[0], args[1], args[2])
	case "consume":
		consume(args[0], args[1], args[2], args[3])
	case "member":
		member(args[0], args[1])
	case "create":
		create(args[0], args[1], args[2:]...)
	case "delete":
		answer, err := admin().DeleteTopic(ctx, args[0])
		must(err)
		must(answer.Err)
	case "grow":
		answer, err := admin().UpdatePartitions(ctx, int(number(args[1])), args[0])
		must(err)
		must(answer.Error())
	case "topics":
		topics()
	case "configs":
		configs(args[0])
	case "alter":
		alter(args[0], args[1])
	case "groups":
		groups()
	case "members":
		members(args[0])
	case "drop":
		answer, err := admin().DeleteGroup(ctx, args[0])
		must(err)
		must(answer.Err)
	case "commit":
		commit(args[0], args[1], args[2:]...)
	case "committed":
		committed(args[0], args[1])
	case "ends":
		ends(args[0])
	case "cut":
		cut(args[0], args[1], args[2])
	default:
		fmt.Fprintln(os.Stderr, os.Args[1]+": this client does not offer that")
		os.Exit(64)
	}
}
