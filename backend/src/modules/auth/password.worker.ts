import { parentPort } from 'node:worker_threads';
import bcrypt from 'bcryptjs';
import type { HashJob, HashResult } from './password-hasher.ts';

/** Thread that does nothing but bcrypt, 0.2 s of computing each: on the event loop it would stop everything else. */
const port = parentPort;
if (port === null) throw new Error('password.worker runs as a worker thread');

const answer = (job: HashJob): HashResult => {
  try {
    return job.kind === 'hash'
      ? { id: job.id, hash: bcrypt.hashSync(job.password, job.cost) }
      : { id: job.id, matches: bcrypt.compareSync(job.password, job.hash) };
  } catch {
    // The text of the error could hold what was hashed.
    return { id: job.id, failed: true };
  }
};

port.on('message', (job: HashJob) => port.postMessage(answer(job)));
