import time, json, sys
from fractions import Fraction
import numpy as np
sys.path.insert(0,'certificates')
import check
from mathcircuits import FUNCTIONS, circuits
from mathcircuits.network import Network

class T:
    def __init__(s,t): s.t=t
    @staticmethod
    def of(v): return v.t if isinstance(v,T) else str(Fraction(v))
    def __add__(s,o): return T(["+",s.t,T.of(o)])
    __radd__=__add__
    def __mul__(s,o): return T(["*",str(Fraction(o)),s.t])
    __rmul__=__mul__
    def __truediv__(s,o): return s*(1/Fraction(o))
    def __neg__(s): return s*-1
    def __sub__(s,o): return s+(-1*o)
    def __rsub__(s,o): return -s+o
    def __lt__(s,o): return (T.of(o),s.t,">")
    def __gt__(s,o): return (s.t,T.of(o),">")
    def __eq__(s,o): return (s.t,T.of(o),"=")
class M:
    abs=staticmethod(lambda a: T(["max",a.t,["*","-1",a.t]]))
    minimum=staticmethod(lambda a,b: T(["min",a.t,b.t]))
    maximum=staticmethod(lambda a,b: T(["max",a.t,b.t]))
    where=staticmethod(lambda c,a,b: T(["if "+c[2],c[0],c[1],T.of(a),T.of(b)]))

def terms(f):
    v=f.definition(M,*[T(["x",i+1]) for i in range(f.arity)])
    return [T.of(u) for u in (v if isinstance(v,tuple) else (v,))]

def mixed(values):
    p=[k for k,v in enumerate(values) if v>0]; n=[k for k,v in enumerate(values) if v<0]
    return (p[0],n[0]) if p and n else None
class Cut(Exception): pass
def want(values):
    m=mixed(values)
    if m:
        i,j=m; a,b=abs(values[i]),abs(values[j])
        raise Cut(i,j,Fraction(a,a+b))
def term_values(term,cell):
    if isinstance(term,str): return [Fraction(term)*g[0] for g in cell]
    name,*parts=term
    if name=="x": return [g[parts[0]] for g in cell]
    if name=="*": return [Fraction(parts[0])*v for v in term_values(parts[1],cell)]
    vs=[term_values(p,cell) for p in parts]
    if name=="+": return [a+b for a,b in zip(*vs)]
    if name.startswith("if"):
        d=[a-b for a,b in zip(vs[0],vs[1])]; want(d)
        if name=="if >": return vs[2] if any(x>0 for x in d) else vs[3]
        return vs[2] if not any(d) else vs[3]
    d=[a-b for a,b in zip(*vs)]; want(d)
    big=any(x>0 for x in d)
    return vs[0] if big==(name=="max") else vs[1]
def grow(cell,net,ts):
    nodes=[0]
    def rec(cell):
        try:
            vals=[list(c) for c in zip(*cell)][1:]; ones=[g[0] for g in cell]
            for k,(W,b) in enumerate(zip(net.weights,net.biases)):
                s=[[sum((c*v[g] for c,v in zip(row,vals) if c), bb*ones[g]) for g in range(len(cell))] for row,bb in zip(W,b)]
                if k<len(net.weights)-1:
                    for r in s: want(r)
                    s=[[max(x,0) for x in r] for r in s]
                vals=s
            fs=[term_values(t,cell) for t in ts]
            assert all(a==b for p,q in zip(vals,fs) for a,b in zip(p,q)),cell
            nodes[0]+=1
            return None
        except Cut as c:
            i,j,t=c.args
            r=[(1-t)*a+t*b for a,b in zip(cell[i],cell[j])]
            L=list(cell);L[i]=r;R=list(cell);R[j]=r
            return [i,j,str(t),rec(L),rec(R)]
    tree=rec(cell)
    return tree,nodes[0]
def certify(net,f):
    dom=[[[("-inf" if a==-np.inf else str(Fraction(a))),("inf" if b==np.inf else str(Fraction(b)))] for a,b in s] for s in (f.domain or [((-np.inf,np.inf),)]*f.arity)]
    ts=terms(f); n=0;cuts=[]
    for cell in check.domain_cells([[tuple({'inf':np.inf,'-inf':-np.inf}.get(e) or Fraction(e) for e in q) for q in s] for s in dom],f.arity):
        cell=[list(map(Fraction,g)) for g in cell]
        tree,k=grow(cell,net,ts); cuts.append(tree); n+=k
    return {"claim":f.name,"verdict":"equal","weights":[[[str(c) for c in r] for r in w] for w in net.weights],"biases":[[str(c) for c in b] for b in net.biases],"function":ts,"domain":dom,"cuts":cuts},n
for name,f in FUNCTIONS.items():
    if name=="maximum_of_six" and len(sys.argv)<2: continue
    net=getattr(circuits,name)().to_exact()
    t=time.time(); c,n=certify(net,f); t1=time.time()-t
    s=json.dumps(c); t=time.time()
    try: check.check(json.loads(s)); ok="ok"
    except Exception as e: ok=repr(e)
    print(name,net.widths,"leaves",n,"bytes",len(s),round(t1,3),"check",round(time.time()-t,3),ok,flush=True)
