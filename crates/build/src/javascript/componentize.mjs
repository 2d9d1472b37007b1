// Turns a JavaScript module into a component:
// node componentize.mjs SOURCE WIT-FOLDER WORLD OUTPUT [DISABLED-FEATURE…]

import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [sourcePath, witPath, worldName, outputPath, ...disableFeatures] = process.argv.slice(2);
const source = await readFile(sourcePath, 'utf8');
const { component } = await componentize(source, { witPath, worldName, disableFeatures });
await writeFile(outputPath, component);
