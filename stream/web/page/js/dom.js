// Elements by name, attributes and children.  Text is always text: nothing that came from a server is read as HTML.

/** An element: `h("p.muted", {id: "x", onclick: f}, "text", child, [more])`. null, undefined and false are left out. */
export function h(what, ...rest) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag || "div");
  if (classes.length) made.className = classes.join(" ");
  const first = rest[0];
  if (first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first)) {
    for (const [name, value] of Object.entries(rest.shift())) set(made, name, value);
  }
  add(made, rest);
  return made;
}

function set(made, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
  else if (name === "style") for (const [key, of] of Object.entries(value)) made.style.setProperty(key, of);
  else if (name === "value") made.value = value;
  else if (name === "dataset") Object.assign(made.dataset, value);
  else made.setAttribute(name, value === true ? "" : String(value));
}

function add(made, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
}

/** Replace all that is in an element. */
export function put(into, ...children) {
  into.replaceChildren();
  add(into, children);
  return into;
}

/** Say something to whoever listens to the page instead of looking at it. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
