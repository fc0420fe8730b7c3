  close(): Promise<void> {
    return this.#close();
  }

  email(): string {
    this.#people += 1;
    return `person${String(this.#people)}@example.com`;
  }

  /** The mails to an address so far, once there are so many. */
  async mails(to: string, count = 1): Promise<Letter[]> {
    for (let tries = 0; tries < 400; tries += 1) {
      const found = this.letters.filter((letter) => letter.to === to);
      if (found.length >= count) return found;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`not ${String(count)} mails for ${to}`);
  }

  /** The token in the newest mail to an address. */
  async token(to: string, count = 1): Promise<string> {
    const newest = (await this.mails(to, count)).at(-1);
    return /token=([\w-]+)/.exec(newest?.text ?? "")?.[1] ?? "";
  }

  /** Somebody with a confirmed address, signed in. */
  async member(): Promise<{ email: string; client: Client }> {
    const email = this.email();
    const client = await this.client();
    await client.post("/auth/register", { email, password: PASSWORD });
    await client.post("/auth/verify", { token: await this.token(email) });
    return { email, client };
  }

  /** What stands in the database. */
  rows(sql: string): Record<string, unknown>[] {
    const database = new DatabaseSync(this.file);
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  }
}
