/* The queue of a page's questions, in a worker or, where there is none, on the page's own thread. `port` takes
   { packed, corpus, length } first, then { id, kind, args }, { cancel: id } or { close: true }; it gives { info } or
   { error }, and for an id { part }, { answer } or { error }. Questions are answered in pieces; between two pieces,
   messages are served, and the kinds that are quick go first. */
function engineWorker(port) {
  const waiting = [];
  let answers = null, isBusy = false;
  /* A message there and back lets other messages through, and takes no time, unlike setTimeout. */
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => port2.postMessage(null);
  port1.onmessage = workOn;

  function workOn() {
    isBusy = waiting.length > 0;
    if (!isBusy) return;
    const rank = ({ kind }) => Object.keys(answers.kinds).indexOf(kind);
    const job = waiting.reduce((first, other) => (rank(other) < rank(first) ? other : first));
    const end = (message, transfer = []) => {
      waiting.splice(waiting.indexOf(job), 1);
      port.postMessage({ id: job.id, ...message }, transfer);
    };
    try {
      job.steps ??= answers.kinds[job.kind](job.args);
      const { done, value } = job.steps.next();
      if (done) end({ answer: value }, Object.values(value).filter(ArrayBuffer.isView).map(({ buffer }) => buffer));
      else if (value) port.postMessage({ id: job.id, part: value.part });
    } catch (error) {
      end({ error: error.message });
    }
    port1.postMessage(null);
  }

  port.onmessage = ({ data }) => {
    if (data.packed) {
      try {
        answers = pageAnswers(data);
        port.postMessage({ info: answers.info });
      } catch (error) {
        port.postMessage({ error: error.message });
      }
    } else if (data.close) {
      for (const one of [port1, port]) one.close();
    } else if (data.cancel !== undefined) {
      const at = waiting.findIndex(({ id }) => id === data.cancel);
      if (at >= 0) waiting.splice(at, 1);
    } else if (!Object.hasOwn(answers.kinds, data.kind)) {
      const error = `There is no question ${data.kind}; there are ${Object.keys(answers.kinds).join(", ")}.`;
      port.postMessage({ id: data.id, error });
    } else {
      waiting.push(data);
      if (!isBusy) port1.postMessage(null);
      isBusy = true;
    }
  };
}
