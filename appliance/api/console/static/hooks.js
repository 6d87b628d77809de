// What pages ask of the APIs, when they open and again and again.
import { useEffect, useRef, useState } from "./vendor/view.js";

// Something that is asked of an API when a page opens, and again when it wants.
export function useAsked(work, keys = []) {
  const [state, setState] = useState({ found: null, error: null, busy: true });
  const asking = useRef(0);
  const ask = async () => {
    const mine = ++asking.current;
    let change;
    try {
      const found = await work();
      change = () => ({ found, error: null, busy: false });
    } catch (error) {
      change = (before) => ({ found: before.found, error, busy: false });
    }
    // What was asked before the last question is no answer any more.
    if (mine === asking.current) setState(change);
  };
  useEffect(() => {
    setState((before) => ({ ...before, busy: true }));
    ask();
    return () => (asking.current += 1);
  }, keys);
  return { ...state, ask };
}

export function useEvery(seconds, work) {
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || latest.current(), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
}
