// The key to this browser's snapshots, in a cookie for a week; without a key the cookie goes.
export default function ({ data }) {
  const age = data.key ? data.age_s : 0;
  document.cookie = `${data.name}=${data.key}; max-age=${age}; path=/; SameSite=Strict`;
}
