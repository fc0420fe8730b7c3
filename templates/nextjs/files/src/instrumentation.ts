/** What Next runs once, before it answers requests. */

export async function register(): Promise<void> {
  if (process.env["NEXT_RUNTIME"] === "nodejs") {
    const { start } = await import("./auth/start");
    start();
  }
}
