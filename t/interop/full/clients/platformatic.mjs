// @platformatic/kafka: see clients.bash for what it is asked.
import { Admin, ConfigResourceTypes, Consumer, IncrementalAlterConfigOperationTypes, ListOffsetTimestamps, Producer } from '@platformatic/kafka'
import { ask, record, text, until, value } from './words.mjs'

const base = { clientId: 'mq', bootstrapBrokers: [process.env.BROKER] }

async function admin (work) {
  const a = new Admin(base)
  const answer = await work(a)
  await a.close()
  return answer
}

function toMap (pairs) {
  return new Map(pairs.map(([name, v]) => [Buffer.from(name), value(v)]))
}

async function partitions (topic) {
  const metadata = await admin(a => a.metadata({ topics: [topic] }))
  return metadata.topics.get(topic).partitionsCount
}

// The offset of each partition at that time: ListOffsetTimestamps, or milliseconds.
async function at (topic, timestamp) {
  const count = await partitions(topic)
  const found = await admin(a => a.listOffsets({
    topics: [{ name: topic, partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp })) }]
  }))
  return found[0].partitions.sort((a, b) => a.partitionIndex - b.partitionIndex).map(p => p.offset)
}

async function consume (topic, partition, count, from) {
  let left = Number(count)
  const offset = from.startsWith('@') ? (await at(topic, BigInt(from.slice(1))))[partition] : BigInt(from)
  const c = new Consumer({ ...base, groupId: `reader-of-${topic}-${process.pid}` })
  const offsets = Array.from({ length: await partitions(topic) }, (_, p) => ({ topic, partition: p, offset: p === Number(partition) ? offset : 0n }))
  const stream = await c.consume({ topics: [topic], mode: 'manual', offsets, autocommit: false })
  for await (const m of stream) {
    if (m.partition !== Number(partition)) continue
    record({ o: m.offset, k: text(m.key), v: text(m.value), h: [...m.headers].map(([name, v]) => [name.toString(), text(v)]), t: m.timestamp })
    if (--left === 0) break
  }
  await c.close(true)
}

async function member (topic, group) {
  const c = new Consumer({ ...base, groupId: group, sessionTimeout: 3000, rebalanceTimeout: 5000, heartbeatInterval: 300 })
  c.on('consumer:group:join', e => console.log('assign', ...(e.assignments ?? []).flatMap(a => a.partitions)))
  const stream = await c.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', autocommit: 100 })
  stream.on('data', m => console.log('got', m.partition, String(m.offset)))
  await until('SIGTERM')
  await stream.close()
  await c.close()
}

await ask({
  async produce (records, topic, partition, codec) {
    const p = new Producer({ ...base, idempotent: true, acks: -1, compression: codec })
    for (let i = 0; i < records.length; i += 100) {
      await p.send({
        messages: records.slice(i, i + 100).map(r => ({
          topic, partition: Number(partition), key: value(r.k), value: value(r.v), headers: toMap(r.h), timestamp: r.t === undefined ? undefined : BigInt(r.t)
        }))
      })
    }
    await p.close()
  },
  consume,
  member,
  create: (topic, count, ...configs) => admin(a => a.createTopics({
    topics: [topic],
    partitions: Number(count),
    replicas: 1,
    configs: configs.map(c => c.split('=')).map(([name, v]) => ({ name, value: v }))
  })),
  delete: topic => admin(a => a.deleteTopics({ topics: [topic] })),
  grow: (topic, count) => admin(a => a.createPartitions({ topics: [{ name: topic, count: Number(count), assignments: null }] })),
  async topics () { for (const t of await admin(a => a.listTopics())) console.log(t) },
  async configs (topic) {
    const found = await admin(a => a.describeConfigs({ resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: null }] }))
    for (const c of found[0].configs) console.log(`${c.name}=${c.value}`)
  },
  alter: (topic, config) => admin(a => a.incrementalAlterConfigs({
    resources: [{
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName: topic,
      configs: [config.split('=')].map(([name, v]) => ({ name, configOperation: IncrementalAlterConfigOperationTypes.SET, value: v }))
    }]
  })),
  async groups () { for (const g of (await admin(a => a.listGroups())).keys()) console.log(g) },
  async members (group) { console.log((await admin(a => a.describeGroups({ groups: [group] }))).get(group).members.size) },
  drop: group => admin(a => a.deleteGroups({ groups: [group] })),
  commit: (group, topic, ...offsets) => admin(a => a.alterConsumerGroupOffsets({
    groupId: group, topics: [{ name: topic, partitionOffsets: offsets.map((offset, partition) => ({ partition, offset: BigInt(offset) })) }]
  })),
  async committed (group, topic) {
    const found = await admin(a => a.listConsumerGroupOffsets({ groups: [group] }))
    const t = found[0].topics.find(t => t.name === topic)
    console.log(...t.partitions.sort((a, b) => a.partitionIndex - b.partitionIndex).map(p => String(p.committedOffset)))
  },
  async ends (topic) {
    const [low, high] = [await at(topic, ListOffsetTimestamps.EARLIEST), await at(topic, ListOffsetTimestamps.LATEST)]
    console.log(...low.flatMap((offset, p) => [String(offset), String(high[p])]))
  },
  cut: (topic, partition, offset) => admin(a => a.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: Number(partition), offset: BigInt(offset) }] }] }))
})
