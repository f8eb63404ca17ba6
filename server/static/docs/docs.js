/** The description of the API, read with Swagger UI. Where the service has a key it is asked for,
 *  sent along to fetch the description, and given to Swagger UI, which sends it with what is tried. */
import { keepKey, keyOf, NO_KEY, withKey } from "../page/key.js";
import { chosenTheme } from "../page/theme.js";

const PLACE = "/api/v1/openapi.json";
const byId = (id) => document.getElementById(id);

async function begin() {
  const key = keyOf();
  byId("failed").hidden = true;
  const answer = await fetch(PLACE, { headers: withKey() });
  if (answer.status === 401) return ask(key === null ? "" : "The one that was given is wrong.");
  if (!answer.ok) throw new Error(`${PLACE} answers ${answer.status}`);
  show(await answer.json(), key);
}

/** Ask for the key; with *why* that tells what is wrong with the one before. */
function ask(why) {
  if (why) byId("why").textContent = why;
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
  const chosen = chosenTheme();
  const dark = chosen === "dark" || (chosen !== "light" && system.matches);
  document.documentElement.classList.toggle("dark-mode", dark);
}

function fail(error) {
  byId("failed").textContent = `The description cannot be shown: ${error.message}`;
  byId("failed").hidden = false;
  if (keyOf() !== null) ask("It may be the key that was given: it can be given again.");
}

const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", colour);
colour();
byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  if (keepKey(byId("key-input").value)) begin().catch(fail);
  else ask(NO_KEY);
});
begin().catch(fail);
