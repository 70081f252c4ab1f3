// The Node.js runtime of the embedded Lambda: `node _node_loop.mjs FD`, inside an execution environment.
//
// It polls the Runtime API for events and runs the handler with them; results, errors and log lines are those of
// AWS's own runtime client for Node.js. FD is the reading end of a pipe that ends with the server, and with it this
// process and its children.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import util from "node:util";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const base = "/2018-06-01/runtime/";
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
const request = http.request; // handlers may wrap it, to trace their own calls
const taskRoot = process.env.LAMBDA_TASK_ROOT;
const require = createRequire(path.join(taskRoot, "index.js"));
const version = Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? "")?.[1] ?? 0);
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const CALLBACKS_GONE =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to " +
  "modify this function to use a supported handler signature to use Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";
const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise " +
  "that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes";

let requestId; // of the event at hand
let whenIdle = () => {}; // what is to be done when the event loop has nothing left to do

// -- the server's end is our end

function dieWithServer(fd) {
  // On Linux the kernel does it, also to a handler that never lets go of the event loop.
  if (process.platform === "linux") return;
  const life = new net.Socket({ fd, readable: true, writable: false });
  life.on("close", () => process.kill(0, "SIGKILL")).on("error", () => {});
  life.resume();
  life.unref();
}

// -- errors

class RuntimeError extends Error {}

function runtimeError(kind, message) {
  const error = new RuntimeError(message);
  Object.defineProperty(error, "name", { value: `Runtime.${kind}`, enumerable: false });
  error.stack = error.stack.replace(/^Error/, error.name);
  return error;
}

/** The lines of a stack without our own frames. */
const linesOf = (stack) => stack.split("\n").filter((line) => !line.includes(import.meta.url));

function isError(value) {
  const texts = [value?.name, value?.message, value?.stack];
  return util.types.isNativeError(value) || texts.every((text) => text && typeof text === "string");
}

/** The error object that Lambda answers. */
function errorObject(error) {
  try {
    if (isError(error)) {
      return { errorType: error.name, errorMessage: error.message, trace: linesOf(error.stack) };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, " +
        "name, and stack",
    };
  }
}

// -- the log

const levels = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const asJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";

function write(level, ...parts) {
  const time = new Date().toISOString();
  const line = asJson ? jsonLine(time, level, parts) : `${time}\t${requestId}\t${level}\t${util.format(...parts)}`;
  process.stdout.write(`${line}\n`);
}

function jsonLine(timestamp, level, parts) {
  const shown = { timestamp, level, requestId };
  const told = (error) => ({
    errorType: error.constructor?.name ?? "UnknownError",
    errorMessage: error.message,
    stackTrace: typeof error.stack === "string" ? linesOf(error.stack) : [],
  });
  if (parts.length === 1) {
    const replaced = (_, value) => (value instanceof Error ? { ...told(value), ...value } : value);
    try {
      return JSON.stringify({ ...shown, message: parts[0] }, replaced);
    } catch {
      return JSON.stringify({ ...shown, message: util.format(parts[0]) });
    }
  }
  const error = parts.find((part) => part instanceof Error);
  return JSON.stringify({ ...shown, message: util.format(...parts), ...(error && told(error)) });
}

function logError(title, error) {
  const shown = error instanceof Error ? error : new Error(error);
  if (asJson) {
    console.error(shown);
    return;
  }
  const plain = (_, value) => {
    if (!(value instanceof Error)) return value;
    const own = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
    return typeof value.stack === "string" ? { ...own, stack: linesOf(value.stack) } : own;
  };
  let text;
  try {
    text = JSON.stringify(shown, plain);
  } catch {
    text = JSON.stringify(errorObject(shown));
  }
  console.error(title, `\t${text}`);
}

function patchConsole() {
  const least = levels[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? levels.TRACE;
  const writer = (level) => (levels[level] < least ? () => {} : (...parts) => write(level, ...parts));
  console.trace = writer("TRACE");
  console.debug = writer("DEBUG");
  console.log = console.info = writer("INFO");
  console.warn = writer("WARN");
  console.error = writer("ERROR");
  console.fatal = (...parts) => write("FATAL", ...parts);
}

// -- the Runtime API

function call(method, target, headers, body, through = agent) {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, agent: through, method, path: base + target, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part)).on("error", reject);
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts) }));
    });
    sent.on("error", reject).end(body);
  });
}

function post(target, text, { headers = {}, through = agent } = {}) {
  const body = Buffer.from(text);
  const all = { "Content-Type": "application/json", "Content-Length": body.length, ...headers };
  return call("POST", target, all, body, through);
}

function serialized(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

const postError = (error, id, options) => post(`invocation/${id}/error`, serialized(errorObject(error)), options);

function postInitError(error) {
  const shown = errorObject(error);
  const type = shown.errorType.replace(/[^\x20-\x7e]/g, "?");
  return post("init/error", serialized(shown), { headers: { "Lambda-Runtime-Function-Error-Type": type } });
}

// -- the handler

function hasModuleType(folder) {
  for (;;) {
    if (path.basename(folder) === "node_modules") return false;
    const found = path.join(folder, "package.json");
    if (fs.existsSync(found)) {
      try {
        return JSON.parse(fs.readFileSync(found, "utf8"))?.type === "module";
      } catch (error) {
        console.warn(`${found} cannot be read, it will be ignored for ES module detection purposes.`, error);
        return false;
      }
    }
    if (path.dirname(folder) === folder) return false;
    folder = path.dirname(folder);
  }
}

/** The module that the handler's name begins with, found where and in the order in which AWS's runtime looks. */
async function loadModule(folder, name) {
  const file = path.resolve(taskRoot, folder, name);
  const required = (suffix) => (fs.existsSync(file + suffix) ? require(file + suffix) : undefined);
  const imported = (suffix) => (fs.existsSync(file + suffix) ? import(pathToFileURL(file + suffix).href) : undefined);
  const modules = hasModuleType(path.dirname(file));
  const typed = Number(process.versions.node.split(".")[0]) >= 24; // from then on, Node reads TypeScript
  return (
    (fs.statSync(file, { throwIfNoEntry: false })?.isFile() ? require(file) : undefined) ||
    (modules ? await imported(".js") : required(".js")) ||
    (await imported(".mjs")) ||
    required(".cjs") ||
    (typed && (modules ? await imported(".ts") : required(".ts"))) ||
    (typed && (await imported(".mts"))) ||
    (typed && required(".cts")) ||
    require(require.resolve(name, { paths: [taskRoot, path.resolve(taskRoot, folder)] }))
  );
}

async function loadHandler(name) {
  if (name.includes("..")) {
    throw runtimeError(
      "MalformedHandlerName",
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const last = path.basename(name);
  const found = /^([^.]*)\.(.*)$/.exec(last);
  if (!found) throw runtimeError("MalformedHandlerName", "Bad handler");
  let loaded;
  try {
    loaded = await loadModule(name.substring(0, name.indexOf(last)), found[1]);
  } catch (error) {
    if (error instanceof SyntaxError) throw runtimeError("UserCodeSyntaxError", String(error));
    if (error?.code === "MODULE_NOT_FOUND") throw runtimeError("ImportModuleError", String(error));
    throw error;
  }
  const handler = found[2].split(".").reduce((value, key) => value?.[key], loaded);
  if (!handler) throw runtimeError("HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw runtimeError("HandlerNotFound", `${name} is not a function`);
  const streaming = handler[STREAMING];
  if (streaming && streaming !== "response") {
    throw runtimeError("MalformedStreamingHandler", "Only response streaming is supported.");
  }
  if (version >= 24 && handler.length >= 3 && !streaming) {
    throw runtimeError("CallbackHandlerDeprecated", CALLBACKS_GONE);
  }
  return handler;
}

// -- what a handler gets

function parsed(text, name) {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const trace = headers["lambda-runtime-trace-id"];
  if (trace) process.env._X_AMZN_TRACE_ID = trace;
  else delete process.env._X_AMZN_TRACE_ID;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"], "ClientContext"),
    identity: parsed(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

/** What a streaming handler writes to. The answer begins with the first write, and `failWith` ends it badly. */
class ResponseStream extends Writable {
  #id;
  #headers = { "Lambda-Runtime-Function-Response-Mode": "streaming", "Content-Type": "application/octet-stream" };
  #sent;
  #answered;
  #error;
  _onBeforeFirstWrite; // set by HttpResponseStream.from

  constructor(id, highWaterMark) {
    super({ highWaterMark, autoDestroy: false });
    this.#id = id;
  }

  setContentType(type) {
    if (this.#sent) throw runtimeError("InvalidStreamingOperation", "Cannot set content-type, too late.");
    this.#headers["Content-Type"] = type;
  }

  write(chunk, ...more) {
    const plain = typeof chunk === "string" || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), ...more);
  }

  failWith(error) {
    if (this.writableFinished) return Promise.resolve();
    this.#error = errorObject(error);
    if (!this.destroyed) {
      this.end();
      return finished(this);
    }
    return new Promise((resolve) => this._final(resolve)); // a pipeline that failed has destroyed it
  }

  _write(chunk, encoding, done) {
    this.#open().write(chunk, done); // done when the system has taken it: a slow reader slows the handler down
  }

  _final(done) {
    const sent = this.#open();
    if (this.#error) {
      sent.addTrailers({
        "Lambda-Runtime-Function-Error-Type": this.#error.errorType.replace(/[^\x20-\x7e]/g, "?"),
        "Lambda-Runtime-Function-Error-Body": Buffer.from(serialized(this.#error)).toString("base64"),
      });
    }
    sent.end();
    this.#answered.then(() => done(), done);
  }

  #open() {
    if (this.#sent) return this.#sent;
    const headers = {
      ...this.#headers,
      "Transfer-Encoding": "chunked",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    };
    const target = `${base}invocation/${this.#id}/response`;
    this.#answered = new Promise((resolve, reject) => {
      this.#sent = request({ host, port, agent, method: "POST", path: target, headers }, (answer) => {
        answer.on("end", resolve).on("error", reject).resume();
      });
      this.#sent.on("error", reject);
    });
    this.#answered.catch(() => {}); // `_final` hears of it
    this._onBeforeFirstWrite?.((part) => this.#sent.write(part));
    return this.#sent;
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (typeof options?.highWaterMark === "number") handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
    return handler;
  },
  HttpResponseStream: class HttpResponseStream {
    static from(stream, prelude) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      const text = JSON.stringify(prelude);
      stream._onBeforeFirstWrite = (write) => {
        write(text);
        write(new Uint8Array(8));
      };
      return stream;
    }
  },
};

// -- one event

/** Runs a handler that returns or calls back, and posts what comes of it; resolves when the next event may come. */
function runBuffered(handler, event, context, id) {
  return new Promise((resolve, reject) => {
    let over = false;
    const settled = (posting) => posting.then(resolve, reject);
    const succeed = (result) => {
      if (over) return;
      const text = serialized(result);
      over = true;
      settled(post(`invocation/${id}/response`, text));
    };
    const fail = (error) => {
      if (over) return;
      over = true;
      const shown = error ?? "handled";
      logError("Invoke Error", shown);
      settled(postError(shown, id));
    };
    const done = (error, result) => (error === undefined || error === null ? succeed(result) : fail(error));
    let called = false;
    const callback = (error, result) => {
      if (called) return;
      called = true;
      if ((error !== undefined && error !== null) || !context.callbackWaitsForEmptyEventLoop) done(error, result);
      else whenIdle = () => done(null, result);
    };
    // An async handler that left nothing to wait for will never answer; of another one, no answer is null.
    const isAsync = handler.constructor?.name === "AsyncFunction";
    whenIdle = () => (isAsync ? fail(runtimeError("NodeJsExit", NEVER_SETTLED)) : succeed(null));
    if (version < 24) Object.assign(context, { succeed, fail, done });
    try {
      const result = handler(event, context, callback);
      if (typeof result?.then === "function") result.then(succeed).catch(fail);
    } catch (error) {
      fail(error);
    }
  });
}

/** Runs a handler made by `streamifyResponse`; resolves when the next event may come. */
async function runStreaming(handler, event, context, id) {
  const stream = new ResponseStream(id, handler[HIGH_WATER_MARK]);
  stream.on("error", () => {}); // the handler hears of it by its own pipeline
  const fail = async (error) => {
    logError("Invoke Error", error);
    await stream.failWith(error);
  };
  const unfinished = new Promise((_, reject) => {
    whenIdle = () => reject("Response stream is not finished.");
  });
  unfinished.catch(() => {});
  try {
    const result = handler(event, stream, context);
    if (typeof result?.then !== "function") {
      await fail("Streaming does not support non-async handlers.");
      return;
    }
    if ((await Promise.race([result, unfinished])) !== undefined) {
      console.warn("Streaming handlers ignore return values.");
    }
    await Promise.race([finished(stream), unfinished]);
  } catch (error) {
    await fail(error);
  }
  if (context.callbackWaitsForEmptyEventLoop) {
    await new Promise((resolve) => {
      whenIdle = resolve;
    });
  }
}

async function runNext(handler) {
  const { headers, body } = await call("GET", "invocation/next", {});
  requestId = headers["lambda-runtime-aws-request-id"];
  const id = requestId;
  try {
    const context = contextOf(headers);
    await (handler[STREAMING] ? runStreaming : runBuffered)(handler, JSON.parse(body), context, id);
  } catch (error) {
    logError("Invoke Error", error);
    await postError(error, id);
  }
  whenIdle = () => {};
}

async function exitAfter(posting, status) {
  await posting.catch(() => {});
  process.exit(status);
}

function reportAndExit(title, error, status) {
  logError(title, error);
  // By a connection of its own: the other one may be in the middle of a response.
  const through = new http.Agent();
  exitAfter(requestId === undefined ? postInitError(error) : postError(error, requestId, { through }), status);
}

dieWithServer(Number(process.argv[2]));
patchConsole();
process.on("uncaughtException", (error) => reportAndExit("Uncaught Exception", error, 129));
process.on("unhandledRejection", (reason, promise) => {
  const error = Object.assign(runtimeError("UnhandledPromiseRejection", String(reason)), { reason, promise });
  reportAndExit("Unhandled Promise Rejection", error, 128);
});
process.on("beforeExit", () => whenIdle());

let handler;
try {
  handler = await loadHandler(process.env._HANDLER);
} catch (error) {
  logError("Uncaught Exception", error);
  await exitAfter(postInitError(error), 129);
}
for (;;) await runNext(handler);
