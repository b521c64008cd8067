// The database and the apps of a file of checks, each a process of its own.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
const program = `${target}/debug/examples/browser_fixture`;

/** A child process that answers by lines of JSON. */
class Child {
  constructor(args) {
    this.process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }
  async answer() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the fixture is gone');
    return JSON.parse(value);
  }
  async end(signal = 'SIGKILL') {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdin.end();
    if (signal) this.process.kill(signal);
    await gone;
  }
}

/** The database: 1,000 requests, 40 audit events. */
export class Database extends Child {
  static async start() {
    const database = new Database(['database']);
    database.url = (await database.answer()).url;
    return database;
  }
  async tell(line) {
    this.process.stdin.write(`${line}\n`);
    return this.answer();
  }
  /** The first column of each row. */
  async sql(text) {
    const answer = await this.tell(`sql ${text.replaceAll('\n', ' ')}`);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }
  /** One number. */
  async number(text) {
    return Number((await this.sql(text))[0]);
  }
  stop() {
    return this.tell('stop');
  }
  start() {
    return this.tell('start');
  }
  /** Its server goes with its stdin. */
  end() {
    return super.end(null);
  }
}

/** An app with a dashboard. */
export class App extends Child {
  static async start(database, options = {}) {
    const { port = 0, mode = 'poll', base = '/traffic-dashboard', auth = 'none' } = options;
    const app = new App(['app', database.url, String(port), mode, base, auth]);
    app.port = (await app.answer()).port;
    app.origin = `http://127.0.0.1:${app.port}`;
    app.board = app.origin + (base === '/' ? '' : base);
    return app;
  }
  /** A request to the app itself. */
  get(path, headers = {}) {
    return fetch(this.origin + path, { headers });
  }
  /** The dashboard's API. */
  async api(path) {
    const response = await fetch(`${this.board}/api${path}`);
    return response.json();
  }
}
