export default function Home() {
  return <main>It works.</main>;
}
