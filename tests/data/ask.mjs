// Asks as a program of npm's openai does, and prints what it was given as one line of JSON.
// node ask.mjs FOLDER URL KEY '{"model": …, "messages": …, "stream": …}'
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, baseURL, apiKey, request] = process.argv.slice(2);
const path = createRequire(`${folder}/`).resolve("openai");
const { default: OpenAI } = await import(pathToFileURL(path).href);
const client = new OpenAI({ baseURL, apiKey });
const wanted = JSON.parse(request);
const seen = { models: [], text: "", chunks: 0, finish: null, usage: null, own: null, error: null };
try {
  for await (const model of client.models.list()) seen.models.push(model.id);
  const answer = await client.chat.completions.create(wanted);
  for await (const chunk of wanted.stream ? answer : []) {
    seen.chunks += 1;
    seen.text += chunk.choices[0]?.delta?.content ?? "";
    seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
    seen.usage = chunk.usage ?? seen.usage;
    seen.own = chunk.nix_trinity ?? seen.own;
  }
  if (!wanted.stream) {
    seen.text = answer.choices[0].message.content;
    seen.finish = answer.choices[0].finish_reason;
    seen.usage = answer.usage;
    seen.own = answer.nix_trinity;
  }
} catch (error) {
  seen.error = { kind: error.constructor.name, status: error.status ?? null, code: error.code ?? null, message: error.message };
}
console.log(JSON.stringify(seen));
