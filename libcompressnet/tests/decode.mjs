// Decodes blocks in WebAssembly: node decode.mjs MODULE TASKS.json MEMORY OUTPUT
//
// MEMORY is what lies in the module's memory from TASKS' base on: structures of compressnet.h,
// what they point to, and payloads. OUTPUT gets the pixels of all tasks, one after the other.
import { readFileSync, writeFileSync } from 'node:fs';

const ALIGNMENT = 64, PAGE_BYTES = 65536, I16 = 1, U8 = 0;

const [modulePath, tasksPath, memoryPath, outputPath] = process.argv.slice(2);
const { base, tasks } = JSON.parse(readFileSync(tasksPath));
const given = readFileSync(memoryPath);
const { exports: core } = (await WebAssembly.instantiate(readFileSync(modulePath), {})).instance;
const variant = core.cn_core_find(0);
if (variant === 0 || core.__heap_base.value > base) throw new Error('no variant, or no room');
let free = base;

function room(bytes) {
    const place = Math.ceil(free / ALIGNMENT) * ALIGNMENT;
    free = place + bytes;
    const missing = free - core.memory.buffer.byteLength;
    if (missing > 0) core.memory.grow(Math.ceil(missing / PAGE_BYTES));
    return place;
}

function expect(status, what) {
    if (status !== 0) throw new Error(`${what}: status ${status}`);
}

function make(what, structure) {
    const size = core[`cn_${what}_size`](variant, structure);
    if (size === 0) throw new Error(`${what}: cannot be run`);
    const made = room(4), memory = room(size);
    expect(core[`cn_${what}_make`](variant, structure, memory, size, made), `make ${what}`);
    return new DataView(core.memory.buffer).getUint32(made, true);
}

function decodeLossy({ prior, decoder, quality, payload, bytes, images, symbols, values }) {
    const model = make('prior', prior), network = make('network', decoder);
    const read = room(2 * images * symbols), pixels = room(images * values);
    const priorScratch = room(core.cn_prior_scratch(model, images));
    const networkScratch = room(core.cn_network_scratch(network));
    expect(core.cn_prior_read(model, quality, payload, bytes, read, images, priorScratch), 'read symbols');
    expect(core.cn_network_run(network, quality, I16, read, U8, pixels, images, networkScratch), 'run');
    return pixels;
}

function decodeLossless({ pixelModel, height, width, payload, lengths, images, values }) {
    const model = make('pixels', pixelModel), pixels = room(images * values);
    const scratch = room(core.cn_pixels_scratch(model, height, width));
    expect(core.cn_pixels_read(model, height, width, payload, lengths, pixels, images, scratch), 'read pixels');
    return pixels;
}

const start = room(given.length);
new Uint8Array(core.memory.buffer).set(given, start);
const decoded = tasks.map((task) => {
    const pixels = 'prior' in task ? decodeLossy(task) : decodeLossless(task);
    return core.memory.buffer.slice(pixels, pixels + task.images * task.values);
});
writeFileSync(outputPath, Buffer.concat(decoded.map((pixels) => Buffer.from(pixels))));
