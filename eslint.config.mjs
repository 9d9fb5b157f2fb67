/* The attention view is one classic script, put together from two files (front_end() in sentiment_lib/explorer/view.py):
   what the first file declares is global in the second. */
import { readFileSync } from "node:fs";
import js from "@eslint/js";

const folder = "sentiment_lib/explorer/front_end";
const source = readFileSync(new URL(`${folder}/attention_data.js`, import.meta.url), "utf8");
const declared = [...source.matchAll(/^(?:const|(?:async )?function) (\w+)/gm)].map(([, name]) => name);
const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

export default [
  js.configs.recommended,
  {
    files: [`${folder}/*.js`],
    languageOptions: {
      sourceType: "script",
      // what the view takes from the browser
      globals: readonly(["atob", "Blob", "DecompressionStream", "document", "performance", "Response", "window"]),
    },
    rules: { "no-unused-vars": ["error", { vars: "local" }] }, // the other file, or the page, uses the rest
  },
  {
    files: ["sentiment_lib/explorer/engine/*.js"],
    languageOptions: { sourceType: "script", globals: readonly(["atob"]) },
    rules: { "no-unused-vars": ["error", { vars: "local" }] },
  },
  {
    files: ["tests/support/*.mjs"],
    languageOptions: { globals: readonly(["process"]) },
  },
  {
    files: [`${folder}/attention_view.js`],
    languageOptions: { globals: readonly([...declared, "ATTENTION_VIEW_STYLE"]) },
  },
];
