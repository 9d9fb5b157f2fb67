"""The explorer's component by itself, with an engine that a test makes up: a long text, and a kernel that is gone."""

import json

import pytest
from support.browser import chromium_page, listen

from sentiment_lib.explorer.view import explorer_front_end, front_end

# An engine of 12 x 12 heads and a text of 512 tokens: of the layer l, head h, token i looks at token (i + l + h) only.
LONG = """
const n = 512, layers = 12, heads = 12, asked = [];
const weightsOf = (layer) => {
  const weights = new Uint8Array(heads * n * n);
  for (let h = 0; h < heads; h++) for (let i = 0; i < n; i++) weights[(h * n + i) * n + (i + layer + h) % n] = 255;
  return weights;
};
const can = { needs: true, patches: true, norms: "not here", leaveOut: true, rollout: true, search: "no corpus" };
const engine = {
  info: { layers, heads, length: n, can },
  ask(kind, args) {
    asked.push([kind, args.layer]);
    const tokens = Array.from({ length: n }, (_, i) => `w${i}`);
    const answers = {
      read: () => ({ tokens, words: tokens.map((_, i) => i), word_texts: tokens, cut: 88, logit: 1, probability: 0.73,
        asked: { text: args.text, off: [], take: null }, small: new Uint8Array(layers * heads * 48 * 48).fill(40),
        by_layer: { [args.layer]: weightsOf(args.layer) } }),
      layer: () => ({ weights: weightsOf(args.layer) }),
    };
    const promise = GONE ? new Promise(() => {}) : Promise.resolve(answers[kind]());
    promise.cancel = () => {};
    return promise;
  },
};
"""


def open_component(page, gone=False):
    _, errors = listen(page)
    script = (
        f"const GONE = {json.dumps(gone)}; const FRONT_END = {json.dumps(front_end())};\n{explorer_front_end()}\n{LONG}"
    )
    page.set_content('<!DOCTYPE html><html lang="en"><title>test</title><div id="explorer"></div></html>')
    page.add_script_tag(content=script)
    page.evaluate("""() => { createExplorer(document.getElementById("explorer"), {
        engine, state: { text: "long", layer: 3, head: 2, view: "heatmap" } }); }""")
    return errors


@pytest.mark.browser
def test_of_a_long_text_a_layer_comes_when_it_is_shown():
    with chromium_page(offline=True) as page:
        errors = open_component(page)
        page.wait_for_selector("[data-shown]")
        assert page.evaluate("asked") == [["read", 3]]
        page.get_by_text("88 tokens in the middle of the text are left out; the model reads 512.").wait_for()
        page.locator(".left .token").nth(100).focus()
        assert "“w100” looks at w105 100 %" in page.get_by_role("status").last.text_content()
        page.get_by_role("button", name="layer 7, head 2").click()
        page.wait_for_function("() => asked.length === 2")
        assert page.evaluate("asked")[1] == ["layer", 7]
        page.locator(".left .token").nth(100).focus()
        assert "“w100” looks at w109 100 %" in page.get_by_role("status").last.text_content()
        page.get_by_role("button", name="layer 3, head 4").click()
        page.locator(".left .token").nth(100).focus()
        assert "“w100” looks at w107 100 %" in page.get_by_role("status").last.text_content()
        assert len(page.evaluate("asked")) == 2  # layer 3 is still there
        page.get_by_role("button", name="save HTML").click()
        page.get_by_text("too long to keep as a page").wait_for()
        assert page.locator("option[value=norms]").is_disabled()
        assert errors == []


@pytest.mark.browser
def test_a_kernel_that_does_not_answer_is_reported():
    with chromium_page(offline=True) as page:
        page.clock.install()
        errors = open_component(page, gone=True)
        page.clock.run_for(20_000)
        page.get_by_text("No answer yet. A long text takes a while;").wait_for()
        assert errors == []
