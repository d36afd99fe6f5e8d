// The texts of the page, in English and French. What the graph says (notes, errors) is in English.
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Count } from './api'

const en = {
  title: 'Rolltrace', tagline: 'Which elector records reached whom, and are they still there?',
  flow: 'Flow', elector: 'Elector', found: 'Found list', findings: 'Findings', skip: 'Skip to content', language: 'Langue : français', otherLanguage: 'fr',
  asOf: 'As of', now: 'all that is known', moment: 'Moment', beginning: 'First movement', previous: 'Previous moment', next: 'Next moment',
  picture: 'Flow of elector records between organisations', pictureHelp: 'Each box is an organisation, or one of its places. The wider an arrow, the more electors. The table below says the same.',
  zoomIn: 'Larger', zoomOut: 'Smaller', fit: 'Fit', flows: 'Flows', organisations: 'Organisations and places', from: 'From', to: 'To', movements: 'Movements', electors: 'Electors', records: 'Records',
  first: 'First', last: 'Last', held: 'held', heldNow: 'Held', reached: 'Reached', everReached: 'Ever reached', notKnown: 'electors not known', notDrawn: (n: number) => `${n} more boxes and arrows, the smaller ones, are in the tables below, and not in the picture.`,
  choose: 'Choose an organisation or a place in the picture or in the table.', places: 'Places', place: 'Place', organisation: 'Organisation', open: 'Show its places', close: 'Hide its places',
  sources: 'Where they came from', reach: 'Where they went on to', hops: 'Hops', fields: 'Which fields', field: 'Field', notSaid: 'fields not said', copies: 'Destroyed, and what is left elsewhere', destroyed: 'Destroyed there, and not come back',
  left: 'Copies left', since: 'Since', used: 'Used after destruction', none: 'none recorded', notes: 'What could change this answer', complete: 'Nothing is known that could change this answer.',
  when: 'When', kind: 'Kind', actor: 'By', purpose: 'Purpose', agreement: 'Agreement', basis: 'Basis', outcome: 'Outcome', route: 'Route', loading: 'asking …', cut: (n: number) => `The first ${n} are shown.`,
  lookUp: 'Look up one elector', identifier: 'Identifier', idSpace: 'What it is', key: 'Elector key (16 hex digits)', orKey: 'or', ask: 'Look up', identifierHelp: 'It is sent to this page’s own process, turned into an elector key there, and neither logged nor kept.',
  noIdentifiers: 'This page has no key file: electors are looked up by elector key.', reachedOrgs: (n: number, held: number) => `The record reached ${n} ${n === 1 ? 'organisation' : 'organisations'}, and is still held at ${held}.`,
  stillThere: 'Still there', yes: 'yes', no: 'no', destroyedAt: 'Destroyed', firstEntry: 'First came', lastEntry: 'Last came', steps: (n: number) => `${n} ${n === 1 ? 'movement' : 'movements'}`,
  foundTitle: 'A found list: which copy is it?', file: 'List (CSV, TSV)', column: 'Column with the identifiers', compare: 'Compare', foundHelp: 'The list is sent to this page’s own process; its identifiers become elector keys there, and it is not kept.',
  noMatch: 'This page cannot compare lists: it has no key file.', findingsTitle: 'What is out of line', notAsked: 'The rules have not been asked yet.', askedAbout: (t: string) => `As of ${t} (UTC).`, openFindings: (n: number) => `${n} open ${n === 1 ? 'finding' : 'findings'}`, allFindings: 'those that were resolved or decided about too', rule: 'Rule', severity: 'Severity', status: 'Status', opened: 'Opened', what: 'What',
  login: 'Who is asking?', token: 'Token', enter: 'Enter', wrong: 'Wrong', leave: 'Leave', reader: 'Reader', people: 'people', placesOf: (n: number) => `${n} ${n === 1 ? 'place' : 'places'}`, table: 'The same as a table', by: 'by', details: 'Details',
  foundIn: (known: string, keys: string, records: string) => `${known} of ${keys} identifiers, in ${records} records, are on recorded movements.`, copies2: 'Copies that it can have come from, the most likely first',
  registered: 'In the registry', notRegistered: 'not in the registry',
  seedings: 'Copies whose invented entries are in the list', putIn: 'Put in', invented: 'Invented entries',
  copy: 'Copy', tied: 'tied with the first', inList: 'In the list', ofList: 'Of the list', ofCopy: 'Of the copy', evidence: 'Evidence (bits)', chance: 'By chance', likely: 'likely', stillHeld: 'Still held',
}
type Texts = typeof en

const fr: Texts = {
  title: 'Rolltrace', tagline: 'Quelles fiches d’électeurs sont arrivées chez qui, et y sont-elles encore ?',
  flow: 'Flux', elector: 'Électeur', found: 'Liste trouvée', findings: 'Constats', skip: 'Aller au contenu', language: 'Language: English', otherLanguage: 'en',
  asOf: 'En date du', now: 'tout ce qui est connu', moment: 'Moment', beginning: 'Premier mouvement', previous: 'Moment précédent', next: 'Moment suivant',
  picture: 'Flux des fiches d’électeurs entre organisations', pictureHelp: 'Chaque case est une organisation ou l’un de ses emplacements. Plus une flèche est large, plus il y a d’électeurs. Le tableau ci-dessous dit la même chose.',
  zoomIn: 'Agrandir', zoomOut: 'Réduire', fit: 'Ajuster', flows: 'Flux', organisations: 'Organisations et emplacements', from: 'De', to: 'Vers', movements: 'Mouvements', electors: 'Électeurs', records: 'Fiches',
  first: 'Premier', last: 'Dernier', held: 'détenus', heldNow: 'Détenus', reached: 'Reçus', everReached: 'Reçus au total', notKnown: 'électeurs non connus', notDrawn: n => `${n} cases et flèches de plus, les moindres, figurent dans les tableaux ci-dessous, et non dans l’image.`,
  choose: 'Choisissez une organisation ou un emplacement dans l’image ou dans le tableau.', places: 'Emplacements', place: 'Emplacement', organisation: 'Organisation', open: 'Montrer ses emplacements', close: 'Cacher ses emplacements',
  sources: 'D’où elles viennent', reach: 'Où elles sont allées ensuite', hops: 'Étapes', fields: 'Quels champs', field: 'Champ', notSaid: 'champs non précisés', copies: 'Détruites, et ce qui en reste ailleurs', destroyed: 'Détruites là, et non revenues',
  left: 'Copies restantes', since: 'Depuis', used: 'Utilisées après destruction', none: 'rien d’enregistré', notes: 'Ce qui pourrait changer cette réponse', complete: 'Rien de connu ne pourrait changer cette réponse.',
  when: 'Quand', kind: 'Type', actor: 'Par', purpose: 'Finalité', agreement: 'Entente', basis: 'Base', outcome: 'Issue', route: 'Parcours', loading: 'en cours …', cut: n => `Les ${n} premiers sont affichés.`,
  lookUp: 'Chercher un électeur', identifier: 'Identifiant', idSpace: 'Ce que c’est', key: 'Clé d’électeur (16 chiffres hexadécimaux)', orKey: 'ou', ask: 'Chercher', identifierHelp: 'Il est envoyé au processus de cette page, y devient une clé d’électeur, et n’est ni journalisé ni conservé.',
  noIdentifiers: 'Cette page n’a pas de fichier de clé : les électeurs se cherchent par clé d’électeur.', reachedOrgs: (n, held) => `La fiche est arrivée dans ${n} ${n === 1 ? 'organisation' : 'organisations'}, et ${held} la ${held === 1 ? 'détient' : 'détiennent'} encore.`,
  stillThere: 'Encore là', yes: 'oui', no: 'non', destroyedAt: 'Détruite', firstEntry: 'Première arrivée', lastEntry: 'Dernière arrivée', steps: n => `${n} ${n === 1 ? 'mouvement' : 'mouvements'}`,
  foundTitle: 'Une liste trouvée : de quelle copie vient-elle ?', file: 'Liste (CSV, TSV)', column: 'Colonne des identifiants', compare: 'Comparer', foundHelp: 'La liste est envoyée au processus de cette page ; ses identifiants y deviennent des clés, et elle n’est pas conservée.',
  noMatch: 'Cette page ne peut pas comparer de listes : elle n’a pas de fichier de clé.', findingsTitle: 'Ce qui sort du cadre', notAsked: 'Les règles n’ont pas encore été appliquées.', askedAbout: t => `En date du ${t} (UTC).`, openFindings: n => `${n} ${n === 1 ? 'constat ouvert' : 'constats ouverts'}`, allFindings: 'aussi ceux qui sont réglés ou décidés', rule: 'Règle', severity: 'Gravité', status: 'État', opened: 'Ouvert', what: 'Constat',
  login: 'Qui demande ?', token: 'Jeton', enter: 'Entrer', wrong: 'Refusé', leave: 'Quitter', reader: 'Lecteur', people: 'personnes', placesOf: n => `${n} ${n === 1 ? 'emplacement' : 'emplacements'}`, table: 'La même chose en tableau', by: 'par', details: 'Détails',
  foundIn: (known, keys, records) => `${known} des ${keys} identifiants, dans ${records} fiches, figurent dans des mouvements enregistrés.`, copies2: 'Copies dont elle peut venir, la plus probable d’abord',
  registered: 'Au registre', notRegistered: 'pas au registre',
  seedings: 'Copies dont les entrées inventées sont dans la liste', putIn: 'Ajoutées', invented: 'Entrées inventées',
  copy: 'Copie', tied: 'à égalité avec la première', inList: 'Dans la liste', ofList: 'De la liste', ofCopy: 'De la copie', evidence: 'Indices (bits)', chance: 'Par hasard', likely: 'probable', stillHeld: 'Encore détenus',
}

export const languages = { en, fr }
export type Language = keyof typeof languages
export const LanguageContext = createContext<Language>('en')

export function useText(): Texts { return languages[useContext(LanguageContext)] }

export function firstLanguage(): Language {
  let kept: string | null = null
  try { kept = localStorage.getItem('language') } catch { /* storage may be off */ }
  return (kept ?? navigator.language).startsWith('fr') ? 'fr' : 'en'
}

export function keepLanguage(language: Language) {
  try { localStorage.setItem('language', language) } catch { /* storage may be off */ }
}

/** useForms are numbers and times in the reader's language. */
export function useForms() {
  const language = useContext(LanguageContext), text = useText()
  const number = new Intl.NumberFormat(language === 'fr' ? 'fr-CA' : 'en-CA')
  return {
    number: (n: number) => number.format(n),
    counts: (counts: Count[]) => counts.length === 0 ? text.none
      : counts.map(c => number.format(c.electors) + (counts.length > 1 || c.id_space !== 'elector-id' ? ` ${c.id_space}` : '')).join(' + '),
    /** share is a part of 1 in per cent: all is 100 %, and nothing less is. */
    share: (part: number) => {
      const said = (part * 100).toFixed(1)
      return part < 1 && said === '100.0' ? '> 99.9 %' : part > 0 && said === '0.0' ? '< 0.1 %' : `${number.format(Number(said))} %`
    },
    time: (t: string) => t === '' ? '' : `${t.slice(0, 10)} ${t.slice(11, 19)}`,
  }
}
