// What a function is given that it does not know is misspelt, and never ignored.

/** Throws TypeError for a member of `given` whose name is not among these. */
export function onlyOptions(what, given, names) {
  for (const name of Object.keys(given ?? {})) {
    if (!names.includes(name)) throw new TypeError(`${what} has no option ${name}; there are: ${names.join(", ")}`);
  }
}
