/** Attacks on what a request says of itself, before anything of the application sees it. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { text } from "node:stream/consumers";

import { Problem } from "../problem";
import { incoming, isShown } from "../incoming";
import { Lab, listening, servers } from "./harness";

describe("requests", () => {
  let lab: Lab;
  before(() => {
    lab = new Lab();
  });
  after(() => lab.close());

  /** Sends a request as it stands, byte for byte; gives the answer's status and all of it. */
  const sent = async (lines: string[], origin = lab.origin()) => {
    const { port } = new URL(await origin);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(`${[...lines, "connection: close"].join("\r\n")}\r\n\r\n`);
    const answer = await text(socket);
    return { status: Number(answer.split(" ")[1]), answer };
  };

  test("RED-02 a whole URL as target counts for its path", async () => {
    const { status, answer } = await sent([
      "GET http://evil.example/auth/me HTTP/1.1",
      "host: app.example.com",
    ]);
    assert.equal(status, 401);
    assert.doesNotMatch(answer, /evil/);
  });

  test("CFG-08 TRACE gives nothing back", async () => {
    const { status, answer } = await sent([
      "TRACE /auth/me HTTP/1.1",
      "host: app.example.com",
      "x-mark: mirrored",
    ]);
    assert.equal(status, 405);
    assert.doesNotMatch(answer, /mirrored/);
  });

  test("CKE-05 two cookies of one name are as good as none", async () => {
    const { client } = await lab.member();
    const name = "__Host-auth-session";
    const cookie = `cookie: ${name}=${client.cookies.get(name) ?? ""}`;
    const lines = ["GET /auth/me HTTP/1.1", "host: app.example.com"];
    assert.equal((await sent([...lines, cookie])).status, 200);
    const other = `cookie: ${name}=another`;
    assert.equal((await sent([...lines, other, cookie])).status, 401);
  });

  test("CSR-02 an Origin that came twice is none", async () => {
    const { status } = await sent([
      "POST /auth/logout HTTP/1.1",
      "host: app.example.com",
      "origin: https://app.example.com",
      "origin: https://evil.example",
      "content-length: 0",
    ]);
    assert.equal(status, 403);
  });

  test("SES-14 where Next shows other headers than those that came, nobody is found out", async () => {
    const shown: boolean[] = [];
    const server = createServer((request, response) => {
      const { cookie = "", host = "" } = request.headers;
      const headers: Record<string, string>[] = [
        {},
        { host },
        { host, cookie: "a=other" },
        { host, cookie },
      ];
      shown.push(...headers.map((given) => isShown(new Headers(given))));
      response.end();
    });
    servers.add(server);
    const lines = ["GET / HTTP/1.1", "host: app.example.com", "cookie: a=b"];
    await sent(lines, listening(server));
    server.close();
    assert.deepEqual(shown, [false, false, false, true]);
  });

  test("a server that is not Next's gets its requests as they came", async () => {
    const server = createServer(({ method, url }, response) => {
      response.end(`${method ?? ""} ${url ?? ""}`);
    });
    const lines = ["TRACE http://a.example/b HTTP/1.1", "host: a.example"];
    const { answer } = await sent(lines, listening(server));
    server.close();
    assert.match(answer, /TRACE http:\/\/a\.example\/b/);
  });

  test("SES-14 what no server received is nobody's", () => {
    assert.throws(incoming, Problem);
  });
});
