/** Types of `window.tessera`, which the script `/tessera.js` of a Tessera service defines. */

export type Purpose = "analytics" | "personalization" | "location";

/** Fields of an event beside those that the script fills in. Other names go into its properties. */
export interface EventFields {
  item_id?: string;
  /** The measure of the event, in the unit of its type: seconds, percent, money. */
  value?: number;
  /** The answer that the event reacts to. */
  recommendation_id?: string;
  page_url?: string;
  page_title?: string;
  properties?: Record<string, unknown>;
}

export interface Context {
  device_type?: string;
  country?: string;
  [fact: string]: unknown;
}

export interface RecommendationRequest {
  slot?: string;
  /** How many items, 10 unless it is said. */
  count?: number;
  /** Items that must not be among them; the item of the page unless it is said. */
  exclude?: string[];
  filter?: Record<string, unknown>;
  context?: Context;
}

export interface RecommendedItem {
  item_id: string;
  /** From 1. */
  rank: number;
  score: number;
  source: string;
  /** Why, in words for the visitor. */
  reason: string;
}

export interface Recommendations {
  recommendation_id: string;
  items: RecommendedItem[];
  model_version: string | null;
  personalized: boolean;
  segment?: string | null;
  /** Why there are fewer items than were asked for. */
  notice?: string;
}

export interface Decision {
  /** Belongs into `recommendation_id` of the events that react to the content. */
  decision_id: string;
  slot: string;
  content: string | null;
  actions: Record<string, unknown>;
  [fact: string]: unknown;
}

export interface Preferences {
  interests?: string[];
  muted?: string[];
  opt_out?: boolean;
}

export interface Tessera {
  /** Send an event; false, and nothing is sent, where the visitor did not agree to analytics. */
  track(type: string, fields?: EventFields): boolean;
  /** Count a view of a page that was shown without loading, for `data-views="manual"`. */
  view(facts?: Pick<EventFields, "page_url" | "page_title" | "item_id">): void;
  /** Say who is signed in, with the token by which the site's server vouches for it; null ends that. */
  identify(userId: string | null, identityToken?: string): void;
  /** What the visitor agreed to. */
  consent(): Purpose[];
  /** Set what the visitor agreed to, where the site has a dialog of its own. */
  setConsent(purposes: Purpose[]): Purpose[];
  /** Show the dialog of consent. */
  askConsent(): Promise<Purpose[]>;
  /** False, and nothing is kept, where nobody is signed in, or the visitor did not agree to personalization. */
  setPreferences(preferences: Preferences): boolean;
  /** Show the dialog of preferences. */
  openPreferences(): Promise<void>;
  recommend(request?: RecommendationRequest): Promise<Recommendations>;
  decide(slot: string, context?: Context): Promise<Decision>;
  /** Say how items look: the values for the placeholders of templates, by item. */
  describeItems(describer: (itemIds: string[]) => Promise<Record<string, Record<string, unknown>>>): void;
  /** Fill the slots and decisions of the page. */
  fillPage(): Promise<unknown>;
  /** Replace texts of the dialogs. */
  setTexts(texts: Record<string, string>): void;
  /** Send what waits now. */
  flush(): Promise<void>;
}

declare global {
  interface Window {
    readonly tessera: Tessera;
  }
  interface DocumentEventMap {
    "tessera:ready": CustomEvent<null>;
    "tessera:consent": CustomEvent<{ purposes: Purpose[] }>;
    /** An event is on its way to the service. */
    "tessera:event": CustomEvent<{ event_type: string }>;
  }
}
