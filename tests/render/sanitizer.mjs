// JupyterLab's own sanitizer, run in Node:
//   npm install @jupyterlab/apputils && node sanitizer.mjs node_modules table > jupyterlab_sanitizer.json
//   node sanitizer.mjs node_modules clean < {"name": "<html>"} > {"name": "<html as it is left>"}
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const [, , modules, action] = process.argv;
const folder = path.resolve(modules, '@jupyterlab/apputils');
const require = createRequire(path.join(folder, 'package.json'));
globalThis.sanitize = require('sanitize-html');
const source = fs
  .readFileSync(path.join(folder, 'lib/sanitizer.js'), 'utf8')
  .replace(/^import sanitize from .*$/m, 'const sanitize = globalThis.sanitize;');
const { Sanitizer } = await import('data:text/javascript,' + encodeURIComponent(source));
const sanitizer = new Sanitizer();

if (action === 'clean') {
  const found = JSON.parse(fs.readFileSync(0, 'utf8'));
  const left = Object.entries(found).map(([name, html]) => [name, sanitizer.sanitize(html)]);
  console.log(JSON.stringify(Object.fromEntries(left)));
} else {
  const { version, license } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const { allowedTags, allowedAttributes, allowedStyles } = sanitizer._options;
  // Pictures and grids of the table's size would be most of it, and cards have neither: they count as removed.
  const styles = Object.entries(allowedStyles['*'])
    .map(([name, rules]) => [name, rules.map(rule => rule.source)])
    .filter(([name, rules]) => name === 'background' || JSON.stringify(rules).length < 5000);
  const about = `@jupyterlab/apputils ${version}, ${license}, Copyright (c) Jupyter Development Team`;
  const table = { about, tags: allowedTags, attributes: allowedAttributes, styles: Object.fromEntries(styles) };
  console.log(JSON.stringify(table, null, 1));
}
