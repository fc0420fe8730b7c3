/** A browser: keeps cookies, and says where its requests come from. */
export class Client {
  readonly cookies = new Map<string, string>();
  readonly #base: string;
  ip: string;

  constructor(base: string) {
    this.#base = base;
    this.ip = `198.51.${String(randomBytes(1)[0])}.${String(randomBytes(1)[0])}`;
  }

  /** Another browser with the same cookies. */
  copy(): Client {
    const other = new Client(this.#base);
    for (const [name, value] of this.cookies) other.cookies.set(name, value);
    return other;
  }

  async call(
    method: string,
    path: string,
    json?: Json,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    const given = {
      "x-forwarded-for": this.ip,
      ...(method === "GET" ? {} : { origin: ORIGIN }),
      ...(cookie.length > 0 ? { cookie: cookie.join("; ") } : {}),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    };
    const body = typeof json === "object" ? JSON.stringify(json) : json;
    const kept = Object.entries(given).filter(([, value]) => value !== "");
    const answer = await fetch(this.#base + path, {
      method,
      headers: Object.fromEntries(kept),
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const cookies = answer.headers.getSetCookie();
    for (const line of cookies) this.#keep(line);
    const parsed: unknown = text.startsWith("{") ? JSON.parse(text) : {};
    const { status } = answer;
    const shown = parsed as Record<string, unknown>;
    return { status, headers: answer.headers, cookies, body: shown, text };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call("GET", path, undefined, headers);
  }

  post(
    path: string,
    json: Json = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.call("POST", path, json, headers);
  }

  login(email: string, password = PASSWORD): Promise<Answer> {
    return this.post("/auth/login", { email, password });
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.get("/auth/me")).status === 200;
  }

  #keep(line: string): void {
    const [pair = ""] = line.split(";", 1);
    const name = pair.slice(0, pair.indexOf("="));
    const value = pair.slice(pair.indexOf("=") + 1);
    if (value === "") this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
