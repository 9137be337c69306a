// What a run was made on: figures of another machine compare by their ratios only.
import { execFile } from 'node:child_process'
import os from 'node:os'
import { promisify } from 'node:util'
import { toolPath, type Tool } from '../tools.ts'

export interface MachineFacts {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly etcd: string
  readonly nats: string
  /** One minute's load average when the run ended, its own load included. */
  readonly load: number
}

const exec = promisify(execFile)

export async function machineFacts(): Promise<MachineFacts> {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    etcd: await versionOf('etcd', '--version'),
    nats: await versionOf('nats-server', '--version'),
    load: os.loadavg()[0] ?? 0,
  }
}

async function versionOf(tool: Tool, flag: string): Promise<string> {
  const { stdout } = await exec(toolPath(tool), [flag])
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown'
}
