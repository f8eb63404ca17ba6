/** The description of the API, read with Swagger UI. Where the service has a key it is asked for,
 *  sent along to fetch the description, and given to Swagger UI, which sends it with what is tried. */
import { local, session } from "../page/stored.js";

const KEPT = "imagecensus.key"; // the page at / reads it too
const THEME = "imagecensus.theme"; // it keeps which one was chosen
const PLACE = "/api/v1/openapi.json";
const byId = (id) => document.getElementById(id);

async function begin() {
  const key = session.get(KEPT);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch(PLACE, { headers });
  if (answer.status === 401) return ask(key !== null);
  if (!answer.ok) throw new Error(`${PLACE} answers ${answer.status}`);
  show(await answer.json(), key);
}

function ask(wrong) {
  if (wrong) byId("why").textContent = "The one that was given is wrong.";
  byId("key").hidden = false;
  byId("key-input").focus();
}

function show(spec, key) {
  byId("key").hidden = true;
  const reader = window.SwaggerUIBundle({
    spec,
    dom_id: "#description",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    validatorUrl: null, // nobody else is told of this service
    plugins: [{ wrapComponents: { responseBody: asLines } }],
    onComplete: () => key && reader.preauthorizeApiKey("key", key),
  });
}

/** Lines of JSON are no JSON: Swagger UI would say that it cannot parse them. */
function asLines(Body, { React }) {
  return (props) => React.createElement(Body, /ndjson/i.test(props.contentType) ? { ...props, contentType: "application/x-lines" } : props);
}

/** As the page at / was told to look, or as the system does. */
function colour() {
  const chosen = local.get(THEME);
  const dark = chosen === "dark" || (chosen !== "light" && system.matches);
  document.documentElement.classList.toggle("dark-mode", dark);
}

function fail(error) {
  byId("failed").textContent = `The description cannot be shown: ${error.message}`;
  byId("failed").hidden = false;
}

const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", colour);
colour();
byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  session.set(KEPT, byId("key-input").value.trim());
  begin().catch(fail);
});
begin().catch(fail);
