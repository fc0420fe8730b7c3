/** The application. */

import express from "express";

const app = express();

app.get("/", (_request, response) => {
  response.json({ status: "ok" });
});

const { HOST = "127.0.0.1", PORT = "3000" } = process.env;
app.listen(Number(PORT), HOST);
