/* Runs the page engine in Node. Standard input: { page, scripts, model, corpus, length, worker, without, jobs }.
   model: a file; worker: whether there is a Worker (a thread of Node's), or "blocked"; without: missing globals. A job
   has one of
     tokens: [texts], length      what the tokenizer makes of them
     compare: [ids]               the largest difference between the products in WebAssembly and in plain JavaScript
     ask: kind, args              { answer, parts } or { error }
     cancel: kind, args           asks, cancels at the first part, and asks again: { error, parts, again, sent }, where
                                  sent counts the parts that a Worker sent for both
     during: kind, args           asks and, at the first part, reads: { order } of what came back */
import { Blob, resolveObjectURL } from "node:buffer";
import { readFileSync } from "node:fs";
import vm from "node:vm";
import { Worker as Thread } from "node:worker_threads";

let sent = 0;

/* A browser's Worker: a script by its address, messages with `data`. */
class Worker {
  constructor(address) {
    const bridge = `const { parentPort } = require("node:worker_threads");
      globalThis.self = globalThis;
      self.postMessage = (...message) => parentPort.postMessage(...message);
      parentPort.on("message", (data) => self.onmessage({ data }));`;
    this.thread = resolveObjectURL(address).text().then((source) => {
      const thread = new Thread(`${bridge}\n${source}`, { eval: true });
      thread.on("message", (data) => {
        if (data.part) sent++;
        this.onmessage({ data });
      });
      thread.on("error", (error) => this.onerror({ message: String(error) }));
      return thread;
    });
  }

  postMessage(...message) {
    this.thread.then((thread) => thread.postMessage(...message));
  }

  terminate() {
    this.thread.then((thread) => thread.terminate());
  }
}

/* A Worker that a browser's settings forbid. */
class BlockedWorker {
  constructor() {
    process.nextTick(() => this.onerror({ message: "blocked" }));
  }

  postMessage() {}

  terminate() {}
}

const { page, scripts, model, corpus, length, worker, without = [], jobs } = JSON.parse(readFileSync(0, "utf8"));
const packed = JSON.parse(readFileSync(model, "utf8"));
Object.assign(globalThis, { Blob }, worker ? { Worker: worker === "blocked" ? BlockedWorker : Worker } : {});
for (const name of without) delete globalThis[name];
vm.runInThisContext(`${page}\nglobalThis.createPageEngine = createPageEngine;`);
vm.runInThisContext(`${scripts}\nObject.assign(globalThis, { parts: { wordPieceTokenizer, unpackModel, bertClassifier,
  plainProduct, fastProduct } });`);
const { wordPieceTokenizer, unpackModel, bertClassifier, plainProduct, fastProduct } = globalThis.parts;

async function settled(promise) {
  try {
    return { answer: await promise };
  } catch ({ name, message }) {
    return { error: `${name}: ${message}` };
  }
}

async function done(engine, job) {
  const parts = [], order = [];
  if (job.ask) return { ...await settled(engine.ask(job.ask, job.args, (part) => parts.push(part))), parts };
  if (job.cancel) {
    sent = 0;
    const asked = engine.ask(job.cancel, job.args, (part) => {
      parts.push(part);
      asked.cancel();
    });
    const { error } = await settled(asked), { answer: again } = await settled(engine.ask(job.cancel, job.args));
    return { error, parts, again, sent };
  }
  let read;
  await engine.ask(job.during, job.args, () => {
    order.push("part");
    read ??= engine.ask("read", job.args).then(() => order.push("read"));
  });
  order.push("answer");
  await read;
  return { order };
}

async function main() {
  if (jobs[0].tokens) {
    const tokenizer = wordPieceTokenizer(packed.vocabulary, packed.lowercase);
    return jobs.map((job) => job.tokens.map((text) => tokenizer.encode(text, job.length)));
  }
  if (jobs[0].compare) {
    const products = [plainProduct(), fastProduct()];
    const berts = products.map((product) => bertClassifier(unpackModel(packed), product));
    return jobs.map(({ compare }) => {
      const [plain, fast] = berts.map((bert) => bert.run(compare));
      const differences = plain.parts.flatMap(({ maps }, layer) => maps.map((w, i) => w - fast.parts[layer].maps[i]));
      const largest = [plain.logit - fast.logit, ...differences.map((all) => Math.max(...all.map(Math.abs)))];
      return { kinds: products.map(({ kind }) => kind), largest: Math.max(...largest.map(Math.abs)) };
    });
  }
  const started = await settled(globalThis.createPageEngine({ scripts, packed, corpus, length }));
  if (started.error) return started;
  const engine = started.answer, found = [];
  for (const job of jobs) found.push(await done(engine, job));
  const open = engine.ask("needs", { text: "closed" });
  engine.close();
  return { info: engine.info, found, closed: (await settled(open)).error };
}

const asArrays = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
process.stdout.write(JSON.stringify(await main(), asArrays));
