// words.mjs: what the Node programs share. See clients.bash.
import fs from 'node:fs'

export const text = bytes => bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64')
export const value = b64 => b64 === null ? null : Buffer.from(b64, 'base64')
export const until = signal => new Promise(resolve => process.once(signal, resolve))

// One line as all the programs print it; offset and time come as texts of numbers.
export function record ({ o, k, v, h, t }) {
  console.log(JSON.stringify({ o: Number(o), k, v, h, t: Number(t) }))
}

// Does what the command line says; what is produced comes from stdin.
export async function ask (commands) {
  const [command, ...args] = process.argv.slice(2)
  if (!(command in commands)) {
    console.error(`${command}: this client does not offer that`)
    process.exit(64)
  }
  if (command === 'produce') {
    args.unshift(fs.readFileSync(0, 'utf8').split('\n').filter(l => l).map(l => JSON.parse(l)))
  }
  try {
    await commands[command](...args)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
  process.exit(0)
}
