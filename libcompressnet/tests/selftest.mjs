// Runs the self-test in WebAssembly: node selftest.mjs MODULE [MODELS]
import { readFileSync } from 'node:fs';

const [path, models = '500'] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(path), {});
const digest = BigInt.asUintN(64, instance.exports.selftest(Number(models)));
console.log(`simd128 ${digest.toString(16).padStart(16, '0')}`);
