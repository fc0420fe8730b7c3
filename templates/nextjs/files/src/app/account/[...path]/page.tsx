import type { Metadata } from "next";
import { notFound } from "next/navigation";

export const metadata: Metadata = { title: "There is no such page" };

/** What has no page is said as the other pages say things. */
export default function Nowhere(): never {
  notFound();
}
