export default function Page() {
  return <a href="/picture?size=200">A picture, made by the server</a>;
}
