// kafkajs: see clients.bash for what it is asked.
import kafkajs from 'kafkajs'
import SnappyCodec from 'kafkajs-snappy'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import zlib from 'node:zlib'
import { ask, text, value, record, until } from './words.mjs'

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = kafkajs

// It brings gzip; others are plugged in, as its manual says.
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = () => ({ compress: async e => lz4Compress(e.buffer), decompress: async b => lz4Decompress(b) })
CompressionCodecs[CompressionTypes.ZSTD] = () => ({ compress: async e => zlib.zstdCompressSync(e.buffer), decompress: async b => zlib.zstdDecompressSync(b) })

const codecs = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
const kafka = new Kafka({ brokers: [process.env.BROKER], logLevel: logLevel.NOTHING })

async function admin (work) {
  const a = kafka.admin()
  await a.connect()
  const answer = await work(a)
  await a.disconnect()
  return answer
}

// Names that repeat are one entry with several values.
function toHeaders (pairs) {
  const headers = {}
  for (const [name, v] of pairs) (headers[name] ??= []).push(value(v))
  return headers
}

function fromHeaders (headers) {
  return Object.entries(headers ?? {}).flatMap(([name, v]) => (Array.isArray(v) ? v : [v]).map(one => [name, text(one)]))
}

function print (m) {
  record({ o: m.offset, k: text(m.key), v: text(m.value), h: fromHeaders(m.headers), t: m.timestamp })
}

async function consume (topic, partition, count, from) {
  let left = Number(count)
  const offset = from.startsWith('@')
    ? (await admin(a => a.fetchTopicOffsetsByTimestamp(topic, Number(from.slice(1))))).find(p => p.partition === Number(partition)).offset
    : from
  const c = kafka.consumer({ groupId: `reader-of-${topic}-${process.pid}` })
  await c.connect()
  await c.subscribe({ topic })
  const done = new Promise(resolve => {
    c.run({
      autoCommit: false,
      eachMessage: async ({ partition: p, message }) => {
        if (p !== Number(partition) || left === 0) return
        print(message)
        if (--left === 0) resolve()
      }
    })
  })
  c.seek({ topic, partition: Number(partition), offset })
  await done
  await c.disconnect()
}

async function member (topic, group) {
  const c = kafka.consumer({ groupId: group, sessionTimeout: 3000, heartbeatInterval: 300 })
  c.on(c.events.GROUP_JOIN, e => console.log('assign', ...(e.payload.memberAssignment[topic] ?? [])))
  await c.connect()
  await c.subscribe({ topic, fromBeginning: true })
  await c.run({
    autoCommitInterval: 100,
    eachMessage: async ({ partition, message }) => console.log('got', partition, message.offset)
  })
  await until('SIGTERM')
  await c.disconnect()
}

await ask({
  async produce (records, topic, partition, codec) {
    const p = kafka.producer({ idempotent: true, maxInFlightRequests: 5 })
    await p.connect()
    for (let i = 0; i < records.length; i += 100) {
      await p.send({
        topic,
        acks: -1,
        compression: codecs[codec],
        messages: records.slice(i, i + 100).map(r => ({
          key: value(r.k), value: value(r.v), headers: toHeaders(r.h), partition: Number(partition), timestamp: r.t === undefined ? undefined : String(r.t)
        }))
      })
    }
    await p.disconnect()
  },
  consume,
  member,
  async create (topic, partitions, ...configs) {
    const configEntries = configs.map(c => c.split('=')).map(([name, v]) => ({ name, value: v }))
    const made = await admin(a => a.createTopics({ topics: [{ topic, numPartitions: Number(partitions), configEntries }] }))
    if (!made) throw new Error('it was there')
  },
  delete: topic => admin(a => a.deleteTopics({ topics: [topic] })),
  grow: (topic, count) => admin(a => a.createPartitions({ topicPartitions: [{ topic, count: Number(count) }] })),
  async topics () { for (const t of await admin(a => a.listTopics())) console.log(t) },
  async configs (topic) {
    const answer = await admin(a => a.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] }))
    for (const e of answer.resources[0].configEntries) console.log(`${e.configName}=${e.configValue}`)
  },
  alter: (topic, config) => admin(a => a.alterConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [config.split('=')].map(([name, v]) => ({ name, value: v })) }]
  })),
  async groups () { for (const g of (await admin(a => a.listGroups())).groups) console.log(g.groupId) },
  async members (group) { console.log((await admin(a => a.describeGroups([group]))).groups[0].members.length) },
  drop: group => admin(a => a.deleteGroups([group])),
  commit: (group, topic, ...offsets) => admin(a => a.setOffsets({ groupId: group, topic, partitions: offsets.map((offset, partition) => ({ partition, offset })) })),
  async committed (group, topic) {
    const found = await admin(a => a.fetchOffsets({ groupId: group, topics: [topic] }))
    console.log(...found[0].partitions.sort((a, b) => a.partition - b.partition).map(p => p.offset))
  },
  async ends (topic) {
    const found = await admin(a => a.fetchTopicOffsets(topic))
    console.log(...found.sort((a, b) => a.partition - b.partition).flatMap(p => [p.low, p.high]))
  },
  cut: (topic, partition, offset) => admin(async a => {
    await a.fetchTopicOffsets(topic) // or it does not know where the leader is
    await a.deleteTopicRecords({ topic, partitions: [{ partition: Number(partition), offset }] })
  })
})
