/* The model of a page, to be asked from the page's own thread.

   createPageEngine({ scripts, packed, corpus, length }) promises { info, ask, close }.
     scripts  source text of the worker's scripts, joined (engine_scripts in page_model.py)
     packed   what packed_model made
     corpus   texts for the search
     length   the longest text in tokens, special tokens included; of longer ones the middle is cut out
   info       { layers, heads, length, can: { needs, …, search: true, or why not } }
   close()    ends the worker; what is still asked is cancelled

   ask(kind, args, onPart) promises an answer; onPart is called with each part of it. The promise has cancel(), after
   which it rejects with an AbortError. Other errors have messages for readers. All args but those of `search` have
   `text` and may have
     off      [[layer, head], …], heads that are switched off
     take     { text, heads }: these heads take their outputs from that text, which has as many tokens and all heads on.
              A head that is off stays off.
   `logit` is that of positive minus that of negative; n is the number of tokens; arrays are flat, row by row.

   read       { tokens, words, word_texts, cut, logit, probability, weights }. words: index of each token's word, -1
              for special tokens; word_texts: the word itself; cut: number of tokens that were cut out; weights:
              Uint8Array (layers, heads, n, n), round(255 √w). Heads that are off have weights like all others.
   needs      [layers][heads]: the logit when the head is switched off in addition, minus the logit. 0 for heads that
              are off. Parts: { layer, values }, the last layer first.
   patches    the same for args.other: the logit when the head takes its outputs from that text, minus the logit
              (sentiment_lib/attention/patching.py).
   norms      { norms, top }: what the weights move, ‖w f(x)‖ (sentiment_lib/attention/norms.py), as Uint8Array
              (layers, heads, n, n), round(255 √(norm / top)), top being the largest.
   leaveOut   { words, effects }: the logit minus that without the word, for the words between white space
              (leave_one_word_out in sentiment_lib/attention/attribution.py). Not with `take`. Parts: { done, of }.
   rollout    { shares }: Float32Array (n), how much of each token would reach [CLS] if only attention mixed them
              (rollout in attribution.py).
   search     for { layer, head, top = 10 }: pairs of tokens (from a row to another column, special tokens left out)
              which occur at least three times in the corpus (twice in fewer than 30 texts), those with the highest
              mean weight first: { texts, pairs: [{ from, to, mean, count, example }], chance }. example: the
              occurrence with the highest weight, { text, row, column, weight }. chance: the 95th percentile of the
              highest mean in 99 draws, where each row's weights are shuffled among its columns (special tokens and
              its own left out), always with the same random numbers. texts: how many were read; there is a limit of
              256 MB. Parts: { read, of }. All heads are on. */
async function createPageEngine({ scripts, packed, corpus = [], length = 64 }) {
  const start = { packed, corpus, length }, worker = workerOf(scripts);
  try {
    if (worker) return await connectEngine(worker, start);
  } catch (error) {
    if (error.isAnswer) throw error; // otherwise no worker could be started
  }
  return connectEngine(engineOnThisThread(scripts), start);
}

/* A worker, or null where none can be made. */
function workerOf(scripts) {
  try {
    const address = URL.createObjectURL(new Blob([scripts, "\nengineWorker(self);"], { type: "text/javascript" }));
    return new Worker(address);
  } catch {
    return null;
  }
}

function engineOnThisThread(scripts) {
  const { port1, port2 } = new MessageChannel();
  new Function(`${scripts}\nreturn engineWorker;`)()(port2);
  return port1;
}

/* The engine behind a worker or a port; rejects if it cannot start. */
function connectEngine(port, start) {
  const asked = new Map();
  let last = 0;
  const failure = (message, name = "Error") => Object.assign(new Error(message), { name, isAnswer: true });
  const abort = (id, message) => {
    asked.get(id)?.reject(failure(message, "AbortError"));
    asked.delete(id);
  };

  function ask(kind, args = {}, onPart = null) {
    const id = ++last;
    const promise = new Promise((resolve, reject) => asked.set(id, { resolve, reject, onPart }));
    promise.cancel = () => {
      if (asked.has(id)) port.postMessage({ cancel: id });
      abort(id, `The question ${kind} was cancelled.`);
    };
    port.postMessage({ id, kind, args });
    return promise;
  }

  function close() {
    for (const id of [...asked.keys()]) abort(id, "The engine was closed.");
    if (port.terminate) port.terminate();
    else port.postMessage({ close: true });
  }

  return new Promise((resolve, reject) => {
    const fail = (error) => {
      close();
      reject(error);
    };
    port.onerror = (event) => {
      const stopped = `The model in this page has stopped (${event.message || "no reason given"}); reload the page.`;
      for (const question of asked.values()) question.reject(failure(stopped));
      asked.clear();
      fail(new Error(event.message));
    };
    port.onmessage = ({ data: { info, id, part, answer, error } }) => {
      const question = asked.get(id);
      if (info) resolve({ info, ask, close });
      else if (id === undefined) fail(failure(error));
      else if (!question) return; // cancelled meanwhile
      else if (part) question.onPart?.(part);
      else {
        asked.delete(id);
        if (error === undefined) question.resolve(answer);
        else question.reject(failure(error));
      }
    };
    port.postMessage(start);
  });
}
