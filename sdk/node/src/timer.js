// setTimeout takes up to 2^31 - 1 milliseconds (24.8 days), and makes 1 of what is longer.
const timerMsMax = 0x7fffffff;

/** Calls it after so many milliseconds, however many they are; what is returned calls it off. */
export function after(ms, act) {
  let timer;
  const end = performance.now() + ms;
  const wait = (left) => {
    timer = left > timerMsMax ? setTimeout(() => wait(end - performance.now()), timerMsMax) : setTimeout(act, left);
  };
  wait(ms);
  return () => clearTimeout(timer);
}

/** For what may well come sooner. */
export function atMost(ms) {
  return Math.min(ms, timerMsMax);
}
