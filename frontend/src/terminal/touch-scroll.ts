/** One-finger scrolling with a glide at the end. */
const DRAG_THRESHOLD_PX = 8;
const FRICTION_PER_FRAME = 0.95;
const SLOWEST_PX_PER_MS = 0.03;
const LONGEST_FRAME_MS = 64;

interface Drag {
  readonly id: number;
  readonly x: number;
  lastY: number;
  lastAt: number;
  speed: number;
  scrolling: boolean;
}

export interface ScrollStep {
  /** Pixels the content moves up; negative: down. */
  readonly deltaY: number;
  /** Where the finger is or was, in page coordinates. */
  readonly x: number;
  readonly y: number;
}

/** Returns the function that removes all listeners. */
export const installTouchScroll = (element: HTMLElement, scroll: (step: ScrollStep) => void): (() => void) => {
  let drag: Drag | null = null;
  let frame: number | null = null;

  const stopGliding = (): void => {
    if (frame !== null) cancelAnimationFrame(frame);
    frame = null;
  };
  const glide = (from: Drag): void => {
    let { speed, lastAt } = from;
    const step = (now: number): void => {
      const elapsed = Math.min(now - lastAt, LONGEST_FRAME_MS);
      lastAt = now;
      speed *= FRICTION_PER_FRAME;
      if (Math.abs(speed) < SLOWEST_PX_PER_MS) return;
      scroll({ deltaY: speed * elapsed, x: from.x, y: from.lastY });
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  };

  const onStart = (event: TouchEvent): void => {
    stopGliding();
    const [touch] = event.touches;
    drag =
      touch && event.touches.length === 1
        ? {
            id: touch.identifier,
            x: touch.clientX,
            lastY: touch.clientY,
            lastAt: event.timeStamp,
            speed: 0,
            scrolling: false,
          }
        : null;
  };
  const onMove = (event: TouchEvent): void => {
    const touch = [...event.changedTouches].find((candidate) => candidate.identifier === drag?.id);
    if (!drag || !touch) return;
    const deltaY = drag.lastY - touch.clientY;
    if (!drag.scrolling && Math.abs(deltaY) < DRAG_THRESHOLD_PX) return;
    drag.scrolling = true;
    event.preventDefault();
    const elapsed = Math.max(1, event.timeStamp - drag.lastAt);
    drag.speed = deltaY / elapsed;
    drag.lastY = touch.clientY;
    drag.lastAt = event.timeStamp;
    scroll({ deltaY, x: touch.clientX, y: touch.clientY });
  };
  const onEnd = (): void => {
    if (drag?.scrolling && !matchMedia('(prefers-reduced-motion: reduce)').matches) glide(drag);
    drag = null;
  };

  element.addEventListener('touchstart', onStart, { passive: true });
  element.addEventListener('touchmove', onMove, { passive: false });
  element.addEventListener('touchend', onEnd);
  element.addEventListener('touchcancel', onEnd);
  return () => {
    stopGliding();
    element.removeEventListener('touchstart', onStart);
    element.removeEventListener('touchmove', onMove);
    element.removeEventListener('touchend', onEnd);
    element.removeEventListener('touchcancel', onEnd);
  };
};
