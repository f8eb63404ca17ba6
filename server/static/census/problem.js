/** Why something that was asked for was not had: what the service said of it, or what was to be sent. */

/** What a refusal says (RFC 9457): {detail, errors: [{field, detail}]}, in texts, whoever said it. */
export async function problemIn(response) {
  let said = null;
  try {
    said = await response.json();
  } catch {
    // Whoever says this is not the service: a proxy.
  }
  const { detail, error, errors } = Object(said);
  const words = [detail, error].find((text) => typeof text === "string" && text !== "");
  const fields = Array.isArray(errors) ? errors.map(Object) : [];
  return {
    ...(words !== undefined && { detail: words }),
    errors: fields.map((one) => ({ field: String(one.field ?? ""), detail: String(one.detail ?? "") })),
  };
}

/** What to say where a body cannot be read: browsers refuse a file that is another than was chosen. */
export async function unread(body) {
  if (!(body instanceof Blob)) return null;
  try {
    await body.slice(0, 1).arrayBuffer();
    return null;
  } catch {
    return "the list can no longer be read: its file was changed or taken away. Choose it again";
  }
}
