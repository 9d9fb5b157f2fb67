/* Runs the page engine in Node. Standard input: {"scripts": [...], "model": file or null, "jobs": [...]}. A job is
   {"tokens": [texts], "length"} or {"run": [ids], "gates", "changed"} or {"patch": [ids], "into": [ids], "heads"}. */
import { readFileSync } from "node:fs";
import vm from "node:vm";

const { scripts, model, jobs } = JSON.parse(readFileSync(0, "utf8"));
for (const script of scripts) vm.runInThisContext(readFileSync(script, "utf8"), script);
const packed = JSON.parse(readFileSync(model, "utf8"));
const tokenizer = globalThis.wordPieceTokenizer(packed.vocabulary, packed.lowercase);
const bert = globalThis.bertClassifier(globalThis.unpackModel(packed));
const difference = ({ logits }) => logits[1] - logits[0];

const done = jobs.map((job) => {
  if (job.tokens) return job.tokens.map((text) => tokenizer.encode(text, job.length));
  if (job.patch) {
    const first = bert.run(job.patch), replaced = {};
    for (const [layer, head] of job.heads) {
      (replaced[layer] ??= new Map()).set(head, bert.outputsOf(first, layer, head));
    }
    return [difference(first), difference(bert.run(job.into)), difference(bert.run(job.into, { replaced }))];
  }
  if (job.needs) return bert.needs(job.needs);
  const complete = bert.run(job.run);
  const again = job.gates
    ? bert.run(job.run, { gates: job.gates, before: complete, from: job.from })
    : complete;
  return { logit: difference(again), maps: job.maps ? again.maps.map((map) => Array.from(map)) : null };
});
process.stdout.write(JSON.stringify(done));
