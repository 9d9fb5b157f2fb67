/* The view and the explorer are one classic script, put together from several files (explorer_front_end() in
   sentiment_lib/explorer/view.py): what one file declares is global in those that follow. The scripts of the engine's
   worker share one scope too (engine_scripts() in sentiment_lib/explorer/page_model.py). */
import { readdirSync, readFileSync } from "node:fs";
import js from "@eslint/js";

const folder = "sentiment_lib/explorer/front_end";
const parts = ["attention_data.js", "attention_view.js", "explorer.js"];
const declaredIn = (path) => {
  const source = readFileSync(new URL(path, import.meta.url), "utf8");
  return [...source.matchAll(/^(?:const|(?:async )?function) (\w+)/gm)].map(([, declared]) => declared);
};
const before = (name) => parts.slice(0, parts.indexOf(name)).flatMap((part) => declaredIn(`${folder}/${part}`));
const engine = "sentiment_lib/explorer/engine";
const inEngine = readdirSync(new URL(engine, import.meta.url)).flatMap((name) => declaredIn(`${engine}/${name}`));
const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

export default [
  js.configs.recommended,
  {
    files: [`${folder}/*.js`],
    languageOptions: {
      sourceType: "script",
      // what the view takes from the browser
      globals: readonly([
        "atob", "Blob", "btoa", "clearTimeout", "crypto", "DecompressionStream", "document", "HTMLTextAreaElement", "location", "navigator",
        "performance", "requestAnimationFrame", "Response", "setTimeout", "URL", "URLSearchParams", "window",
      ]),
    },
    rules: { "no-unused-vars": ["error", { vars: "local" }] }, // the other file, or the page, uses the rest
  },
  {
    files: [`${engine}/*.js`],
    languageOptions: {
      sourceType: "script",
      globals: readonly(["atob", "Blob", "MessageChannel", "URL", "WebAssembly", "Worker", ...inEngine]),
    },
    rules: {
      "no-redeclare": ["error", { builtinGlobals: false }],
      "no-unused-vars": ["error", { vars: "local" }],
      "require-yield": "off", // short answers are generators too
    },
  },
  {
    files: ["sentiment_lib/course/templates/*.js"],
    languageOptions: { sourceType: "script", globals: readonly(["document", "URL", "window"]) },
  },
  {
    files: ["tests/support/*.mjs"],
    languageOptions: { globals: readonly(["process"]) },
  },
  {
    files: [`${folder}/attention_view.js`],
    languageOptions: { globals: readonly([...before("attention_view.js"), "ATTENTION_VIEW_STYLE"]) },
  },
  {
    files: [`${folder}/explorer.js`],
    languageOptions: {
      globals: readonly([...before("explorer.js"), "ATTENTION_VIEW_STYLE", "EXPLORER_STYLE", "FRONT_END"]),
    },
  },
  {
    files: [`${folder}/page.js`],
    languageOptions: { globals: readonly(["createExplorer", "createPageEngine", "ENGINE_SCRIPTS", "globalThis"]) },
  },
];
