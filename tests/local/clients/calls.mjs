// Runs calls of the Node client. Each line of the input is {"apiKey", "call": "payments.get", "args"};
// each line of the output what came of it: {"value"} or {"error"}. Nothing of the client is changed
// but the address that it calls, the first argument.
import { createInterface } from "node:readline";
import { Commet, CommetAPIError, CommetValidationError } from "@commet/node";

const address = process.argv[2];
const realFetch = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const { pathname, search } = new URL(url);
  return realFetch(address + pathname + search, init);
};

const described = (error) => {
  if (error instanceof CommetValidationError) return { kind: "validation", ...error };
  if (error instanceof CommetAPIError) return { kind: "api", ...error };
  return { kind: "unexpected", message: String(error) };
};

const clients = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const { apiKey, call, args } = JSON.parse(line);
  if (!clients.has(apiKey)) clients.set(apiKey, new Commet({ apiKey }));
  const [resource, method] = call.split(".");
  const answer = await clients.get(apiKey)[resource][method](...args).then(
    (value) => ({ value }),
    (error) => ({ error: described(error) }),
  );
  console.log(JSON.stringify(answer));
}
